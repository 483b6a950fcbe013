//! The two adapters offer the same, in the same files.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

/// Uses what an adapter offers beyond core, so that it compiles with both or not at all.
macro_rules! offers {
    ($test:ident, $stdio:ident, $adapter:ident, $runtime:ident, $child:ident, $command:path) => {
        #[test]
        fn $test() {
            use $adapter::{
                Child, Endpoint, EventBus, Limits, Platform, Runtime, UnixConnector, UnixListener,
            };

            fn is_a_runtime<R: Runtime + Clone + Default + std::fmt::Debug>() {}
            fn is_a_platform<P>()
            where
                P: Platform<Child = $adapter::$child, Command = $command>,
            {
            }
            fn is_a_child_of(child: Child) -> lahja_core::Child<$adapter::$runtime> {
                child
            }
            is_a_runtime::<$adapter::$runtime>();
            is_a_platform::<$adapter::$runtime>();
            let _: fn(Child) -> lahja_core::Child<$adapter::$runtime> = is_a_child_of;

            let scratch = lahja_contract::scratch::Scratch::new();
            let bus: EventBus = EventBus::at(scratch.join("bus")).unwrap();
            let again = EventBus::at_on(<$adapter::$runtime>::default(), bus.path()).unwrap();
            assert_eq!(again.path(), bus.path());

            let path = scratch.join("socket");
            let connector = UnixConnector::new(&path);
            futures_lite::future::block_on(async {
                let server = Endpoint::new("server", <$adapter::$runtime>::default()).unwrap();
                let client = Endpoint::new("client", <$adapter::$runtime>::default()).unwrap();
                let _serving = server.serve(UnixListener::bind(&path).unwrap());
                let connected = client.connect(connector).await.unwrap();
                assert_eq!(connected, "server");
                server.wait_until_connected_to("client").await;
            });

            let _: Limits = Limits::default();
        }

        #[test]
        fn $stdio() {
            // What the standard streams of the tests are is not theirs to say.
            if env::var_os(WITH_FILES).is_some() {
                let error = $adapter::stdio().unwrap_err();
                println!("{LEFT}: {error}");
                return;
            }
            let scratch = lahja_contract::scratch::Scratch::new();
            for (input, output, refused) in [(FILE, FILE, "input"), (PIPE, FILE, "output")] {
                let path = scratch.join("output");
                let mut command = Command::new(env::current_exe().unwrap());
                command.args(["--exact", stringify!($stdio), "--nocapture"]).env(WITH_FILES, "");
                command.stdin(input(&path)).stdout(output(&path)).stderr(Stdio::null());
                assert!(command.status().unwrap().success());
                let said = fs::read_to_string(&path).unwrap();
                let expected = format!("{LEFT}: the standard {refused} is no pipe");
                assert!(said.contains(&expected), "{said}");
            }
        }
    };
}

/// Set for a process whose standard streams are no pipes.
const WITH_FILES: &str = "LAHJA_TEST_WITH_FILES";

/// Said by it to its standard output, which is left as it was.
const LEFT: &str = "left as it was";

/// Makes a standard stream of a kind.
type Stream = fn(&Path) -> Stdio;

const FILE: Stream = |path| File::options().create(true).append(true).open(path).unwrap().into();
const PIPE: Stream = |_| Stdio::piped();

offers!(
    smol_offers_it,
    smol_takes_no_file_for_a_pipe,
    lahja_smol,
    Smol,
    SmolChild,
    smol::process::Command
);
offers!(
    async_std_offers_it,
    async_std_takes_no_file_for_a_pipe,
    lahja_async_std,
    AsyncStd,
    AsyncStdChild,
    async_process::Command
);

/// Returns the files of an adapter and what is in them, in order, in the words of smol's.
fn source(adapter: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files: Vec<_> = fs::read_dir(root.join(adapter).join("src"))
        .unwrap()
        .map(|file| {
            let file = file.unwrap();
            let text = fs::read_to_string(file.path()).unwrap();
            let text = text.replace("AsyncStd", "Smol").replace("async-std", "smol");
            (file.file_name().into_string().unwrap(), text)
        })
        .collect();
    files.sort();
    files
}

/// Returns what a file declares for others to use.
fn public(text: &str) -> Vec<&str> {
    let lines = text.lines().map(|line| line.trim().trim_end_matches([' ', '{', ';']));
    lines.filter(|line| line.starts_with("pub ")).collect()
}

#[test]
fn they_have_the_same_files_and_declare_the_same() {
    let (smol, async_std) = (source("lahja-smol"), source("lahja-async-std"));
    assert_eq!(smol.len(), async_std.len());
    let mut declared = 0;
    for ((file, smol), (other, async_std)) in smol.iter().zip(&async_std) {
        assert_eq!(file, other);
        assert_eq!(public(smol), public(async_std), "{file}");
        declared += public(smol).len();
    }
    assert!(declared > 5, "{declared} declarations were found");
}

#[test]
fn their_sockets_pipes_and_processes_differ_in_imports_alone() {
    let without_imports = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("use "));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let mut compared = 0;
    for ((file, smol), (_, async_std)) in
        source("lahja-smol").iter().zip(&source("lahja-async-std"))
    {
        if ["platform.rs", "process.rs"].contains(&file.as_str()) {
            assert_eq!(without_imports(smol), without_imports(async_std), "{file}");
            compared += 1;
        }
    }
    assert_eq!(compared, 2);
}
