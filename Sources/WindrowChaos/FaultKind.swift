/// What may be done to the daemon and to what it depends on.
enum FaultKind: String, CaseIterable {
    case kill
    case points
    case stop
    case absence
    case postgresKill = "postgres-kill"
    case terminate
    case postgresPause = "postgres-pause"
    case failover
    case failoverLagging = "failover-lagging"
    case brokerRestart = "broker-restart"
    case brokerPause = "broker-pause"
    case postgresCut = "postgres-cut"
    case brokerCut = "broker-cut"
    case postgresStall = "postgres-stall"
    case brokerStall = "broker-stall"
    case networkDelay = "network-delay"
    case diskFull = "disk-full"
    case damage
    case damagePending = "damage-pending"
    case clock
    case descriptors
    case lock
    case writer

    /// Those of a run that names none.
    static var usual: [FaultKind] { allCases.filter { $0 != .damagePending } }

    var summary: String {
        switch self {
        case .kill: "SIGKILL of the daemon, and a start"
        case .points: "the daemon kills itself between two steps of its work (debug builds), and is started again"
        case .stop: "SIGTERM of the daemon, and a start"
        case .absence:
            "SIGKILL of one of several daemons, and a start half a minute later: meanwhile another one takes what the broker keeps for it"
        case .postgresKill: "SIGKILL of PostgreSQL, and a start after a while"
        case .terminate: "pg_terminate_backend of the daemon's sessions, again and again"
        case .postgresPause: "SIGSTOP of all PostgreSQL processes for a while"
        case .failover: "SIGKILL of the primary, and promotion of the synchronous standby"
        case .failoverLagging:
            "the same with a standby that has received nothing for a while: the journal's kept batches fill the gap"
        case .brokerRestart: "SIGTERM of the broker, and a start after a while"
        case .brokerPause: "SIGSTOP of the broker for a while"
        case .postgresCut: "connections to PostgreSQL are closed, and refused for a while"
        case .brokerCut: "connections to the broker are closed, and refused for a while"
        case .postgresStall: "bytes to and from PostgreSQL go nowhere for a while, then the connections break"
        case .brokerStall: "bytes to and from the broker go nowhere for a while, then the connections break"
        case .networkDelay: "50 to 500 ms of delay each way, to PostgreSQL and the broker"
        case .diskFull: "the journal's disk is full for a while (as root only)"
        case .damage: "the drained journal is cut off or has bytes changed while the daemon is stopped"
        case .damagePending: "the same while points wait in it; only when it is named"
        case .clock: "the daemon's wall clock jumps by hours (needs libfaketime)"
        case .descriptors: "the daemon gets no new file descriptors, and loses its connections to PostgreSQL"
        case .lock: "the table of points is locked by somebody else"
        case .writer: "somebody else writes points that the daemon is about to write"
        }
    }

    /// One a line, with what it does.
    static var list: String {
        let width = allCases.map(\.rawValue.count).max() ?? 0
        return allCases.map { "\($0.rawValue.padded(to: width))  \($0.summary)" }.joined(separator: "\n")
    }
}

extension String {
    /// With spaces at the end.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
