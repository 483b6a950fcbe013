mod measured;
mod pipe;
mod scenarios;
mod stage;

use std::error::Error;

use scenarios::{ROUND, Scenario};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [name, count] => {
            let scenario = Scenario::named(name).ok_or("no such scenario")?;
            println!("{}", scenario.run(count.parse::<u64>()? / ROUND));
            Ok(())
        }
        _ => Err("usage".into()),
    }
}
