import ArgumentParser

extension ExitCode {
    /// A server is not reachable (EX_UNAVAILABLE).
    static let unavailable = ExitCode(69)
    /// A bug of ours (EX_SOFTWARE).
    static let software = ExitCode(70)
    /// The configuration, or what it points to, is wrong (EX_CONFIG).
    static let configuration = ExitCode(78)
}
