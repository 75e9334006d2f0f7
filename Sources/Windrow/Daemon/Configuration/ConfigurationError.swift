/// Everything that is wrong with a configuration, as far as one pass over it can tell.
public struct ConfigurationError: Error, Hashable, Sendable {
    /// One thing to mend. Printed as `windrow.yaml:14: domains.demo.flush.interval: expected a duration …`.
    public struct Problem: Hashable, Sendable {
        /// The configuration file, as it was named when it was loaded.
        public var file: String
        /// Counted from 1; nil when the problem is with the file as a whole.
        public var line: Int?
        /// Counted from 1 in Unicode scalars; nil when the problem is with the file as a whole.
        public var column: Int?
        /// The keys that lead to the value, joined by dots; empty at the top of the file.
        public var path: String
        /// What was expected and what was found. Never holds a secret.
        public var message: String

        public init(file: String, line: Int? = nil, column: Int? = nil, path: String = "", message: String) {
            self.file = file
            self.line = line
            self.column = column
            self.path = path
            self.message = message
        }
    }

    /// In the order of the file; at least one.
    public var problems: [Problem]

    public init(problems: [Problem]) {
        self.problems = problems
    }
}

extension ConfigurationError.Problem: CustomStringConvertible {
    public var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        return path.isEmpty ? "\(place): \(message)" : "\(place): \(path): \(message)"
    }
}

extension ConfigurationError: CustomStringConvertible {
    /// One problem a line.
    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
