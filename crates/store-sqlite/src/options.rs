/// How a store is opened. The defaults suit a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether this is the one server of its database: a second is refused while the first lives, however that ends.
    ///
    /// Two servers would deliver every notification twice, and each would take the other's calls for left over. A
    /// command that only changes the directory is no server.
    pub is_server: bool,
    /// Threads that read, each with a connection; at least one.
    pub readers: usize,
    /// Requests that may wait for the writer, and as many for the readers. Past it the answer is `Busy`.
    pub queued_requests: usize,
    /// Bytes of documents that may wait for the writer. One larger transaction is taken while nothing waits.
    pub queued_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            is_server: false,
            // Reads are rare beside writes: live calls are in memory, and the outbox is read at start.
            readers: 2,
            // A second's worth of commits at the rate that one core serves.
            queued_requests: 4_096,
            // The same number of documents of some kilobytes, several to a transaction.
            queued_bytes: 64 * 1024 * 1024,
        }
    }
}
