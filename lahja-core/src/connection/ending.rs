//! The end of a connection, seen from its reader.

use std::sync::Arc;

use super::{Connection, End};
use crate::error::ConnectError;
use crate::session::Session;
use crate::shared::Shared;

/// Takes a connection off its endpoint, in whatever way its reader ends.
pub(super) struct Ending<'a> {
    pub(super) connection: &'a Arc<Connection>,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) end: End,
    pub(super) refused: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let error = match std::mem::replace(&mut self.end, End::Stopped) {
            End::Peer => ConnectError::Gone,
            End::Stopped => ConnectError::Closed,
            End::Error(error) => error,
        };
        let connection = self.connection;
        connection.update(Session::end);
        self.shared.remove_connection(connection, connection.written());
        let (error, was_established) = connection.end(error);
        // A refusal still has to reach the peer; anything else ends here.
        if !self.refused {
            connection.stop();
        }
        self.shared.connections_changed();
        // What a user's subscriber makes of it comes last.
        match was_established {
            true => self.shared.trouble.disconnected(&connection.peer().name, &error),
            // An endpoint that closes cuts handshakes short.
            false if self.shared.is_closed() => {}
            false => self.shared.trouble.not_connected(&error),
        }
    }
}
