//! The libraries, each in a file of its own.

mod iceoryx;
mod ipc_channel;
mod libzmq;
mod nng;
mod tarpc;
mod zbus;
mod zenoh;
mod zmq_rs;

pub(crate) use iceoryx::Iceoryx;
pub(crate) use ipc_channel::IpcChannel;
pub(crate) use libzmq::LibZmq;
pub(crate) use nng::Nng;
pub(crate) use tarpc::Tarpc;
pub(crate) use zbus::Zbus;
pub(crate) use zenoh::Zenoh;
pub(crate) use zmq_rs::ZmqRs;
