import Foundation

/// What a daemon runs with, in a file beside each of its journals: `windrow check` compares it with the configuration's file, and tells
/// what a reload would change. One of the files has all settings, and the others say where that is.
///
/// It is believed only while the journal's lock is held: a daemon that was killed leaves its file behind, and its process's number to
/// others. Of secrets it has salted digests alone. Its loss costs nothing but that comparison.
struct RunningConfiguration: Codable {
    /// Of the daemon.
    var processID: Int32
    /// Tells this run of the daemon from all others.
    var salt: String
    var settings: [Configuration.Setting]
    /// The folder in which the settings are, if not here.
    private var home: String?

    init(_ configuration: Configuration, salt: String = UUID().uuidString) {
        processID = getpid()
        self.salt = salt
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

    /// - Parameter folders: of the domains' journals.
    /// - Throws: for the first folder that cannot be written to, after it has tried all of them.
    func write(to folders: [String]) throws {
        guard let first = folders.first else { return }
        var elsewhere = self
        elsewhere.settings = []
        elsewhere.home = first
        let (own, others) = (try JSONEncoder().encode(self), try JSONEncoder().encode(elsewhere))
        var failure: (any Error)?
        for folder in folders {
            let path = Self.path(in: folder)
            do {
                try (folder == first ? own : others).write(to: URL(fileURLWithPath: path), options: .atomic)
                try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Leaves the file of a daemon that has started on the journal since.
    func remove(from folder: String) {
        guard let found = try? Self.load(from: folder), found.salt == salt else { return }
        try? FileManager.default.removeItem(atPath: Self.path(in: folder))
    }

    /// With the settings, wherever they are; nil when they are not there any more.
    func whole() throws -> RunningConfiguration? {
        guard let home else { return self }
        return try Self.load(from: home).flatMap { $0.salt == salt ? $0 : nil }
    }

    /// Of the daemon that runs there now, perhaps without the settings; nil when none does.
    static func read(from folder: String) throws -> RunningConfiguration? {
        guard JournalLock.isHeld(in: folder), let running = try load(from: folder) else { return nil }
        // A command that holds the lock for a moment is no daemon.
        return kill(running.processID, 0) == 0 || errno == EPERM ? running : nil
    }

    private static func load(from folder: String) throws -> RunningConfiguration? {
        let path = path(in: folder)
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try JSONDecoder().decode(Self.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }
}
