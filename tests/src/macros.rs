//! From the list of cases to tests.

/// Makes the tests of the contract for a [`Subject`](crate::Subject).
///
/// It defines modules and tests, so each use needs a module, or a file of tests, of its own.
///
/// With a second subject, the children of each case run on that one, which shows that two
/// adapters understand each other; cases without children are left out.
///
/// ```text
/// lahja_contract::contract!(MyRuntime);
/// lahja_contract::contract!(MyRuntime, children on OtherRuntime);
/// ```
#[macro_export]
macro_rules! contract {
    ($subject:ty) => {
        $crate::contract_parts!($subject, $subject);
        $crate::cases_in_one_process!($crate::contract_tests);
        $crate::cases_with_processes!($crate::contract_tests);
    };
    ($subject:ty, children on $children:ty) => {
        $crate::contract_parts!($subject, $children);
        $crate::cases_with_processes!($crate::contract_tests);
    };
}

/// Makes tests of cases of one's own, which run as those of the contract do.
///
/// It is for what holds of one adapter alone. As with [`contract!`](crate::contract), each use
/// needs a module of its own; the cases are functions of the module around that one.
///
/// ```text
/// lahja_contract::own_cases!(MyRuntime, { events_go_both_ways, an_end_is_seen });
/// ```
#[macro_export]
macro_rules! own_cases {
    ($subject:ty, { $($case:ident),+ $(,)? }) => {
        $crate::contract_parts!($subject, $subject);

        mod own {
            $(
                #[test]
                fn $case() {
                    $crate::run::<super::ContractSubject, super::ContractChildren, _>(
                        module_path!(),
                        stringify!($case),
                        super::super::$case,
                    );
                }
            )+
        }
    };
}

/// What all tests of one contract use.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_parts {
    ($subject:ty, $children:ty) => {
        type ContractSubject = $subject;
        type ContractChildren = $children;

        /// The test that is run once more for each child process of the others.
        #[test]
        fn a_child_process_runs() {
            $crate::child::<ContractChildren>(module_path!());
        }
    };
}

/// One test of each case in a list.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($(mod $group:ident { $($case:ident),+ $(,)? })+) => {
        $(
            mod $group {
                $(
                    #[test]
                    fn $case() {
                        $crate::run::<super::ContractSubject, super::ContractChildren, _>(
                            module_path!(),
                            stringify!($case),
                            $crate::cases::$group::$case,
                        );
                    }
                )+
            }
        )+
    };
}

/// The sockets of a platform that is wrapped: `self.0`, of type `$platform`.
macro_rules! same_sockets {
    ($platform:ty) => {
        type Stream = <$platform as lahja_core::Platform>::Stream;
        type Listener = <$platform as lahja_core::Platform>::Listener;

        fn stream(&self, stream: std::os::unix::net::UnixStream) -> std::io::Result<Self::Stream> {
            self.0.stream(stream)
        }

        fn listener(
            &self,
            listener: std::os::unix::net::UnixListener,
        ) -> std::io::Result<Self::Listener> {
            self.0.listener(listener)
        }

        async fn accept(listener: &mut Self::Listener) -> std::io::Result<Self::Stream> {
            <$platform as lahja_core::Platform>::accept(listener).await
        }
    };
}

pub(crate) use same_sockets;
