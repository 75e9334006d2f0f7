import Foundation

/// What a daemon runs with, in a file beside its journals: `windrow check` compares it with the configuration's file, and tells what a
/// reload would change.
///
/// Of secrets it has salted digests alone. Its loss costs nothing but that comparison.
struct RunningConfiguration: Codable {
    /// Of the daemon.
    var processID: Int32
    var salt: String
    var settings: [Configuration.Setting]

    init(_ configuration: Configuration) {
        processID = getpid()
        salt = UUID().uuidString
        settings = configuration.settings(salt: salt)
    }

    /// What another configuration changes.
    func changes(to configuration: Configuration) -> [SettingChange] {
        SettingChange.between(settings, configuration.settings(salt: salt))
    }

    /// The configuration is loaded: all that a reload can change is as it says.
    mutating func reloaded(_ configuration: Configuration) {
        let waiting = changes(to: configuration).filter { $0.effect == .restart }.map(\.key)
        func waits(_ setting: Configuration.Setting) -> Bool {
            waiting.contains { setting.key == $0 || setting.key.hasPrefix($0 + ".") }
        }
        settings =
            configuration.settings(salt: salt).filter { !waits($0) } + settings.filter(waits)
    }

    // MARK: The file

    private static func path(in folder: String) -> String { folder + "/running.json" }

    /// - Parameter folder: `journal.directory`.
    func write(to folder: String) throws {
        let path = Self.path(in: folder)
        try JSONEncoder().encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    }

    static func remove(from folder: String) {
        try? FileManager.default.removeItem(atPath: path(in: folder))
    }

    /// Of the daemon that runs there now; nil when none does.
    static func read(from folder: String) throws -> RunningConfiguration? {
        let path = path(in: folder)
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let running = try JSONDecoder().decode(Self.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        // One that was killed leaves its file behind.
        return kill(running.processID, 0) == 0 || errno == EPERM ? running : nil
    }
}
