import Glibc
import LibPQ
import MQTT

/// Why a simulation could not begin or go on.
public struct SimulationError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// A server is not reachable.
        case unreachable
        /// What was asked for, or a server's set-up, has to change.
        case setup
    }

    public var kind: Kind
    public var description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    static func system(_ call: String, _ errno: Int32) -> Self {
        Self(.unreachable, "\(call): \(String(cString: strerror(errno)))")
    }

    init(_ error: MQTTError) {
        let isSetUp = error.code == .refused || error.code == .tls || error.code == .invalid
        self.init(isSetUp ? .setup : .unreachable, "\(error)")
    }

    init(_ error: PostgresError) {
        self.init(error.endsConnection ? .unreachable : .setup, "\(error)")
    }
}
