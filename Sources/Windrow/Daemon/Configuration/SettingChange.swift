/// What another configuration changes of the one that a daemon runs with.
struct SettingChange: Hashable, Sendable {
    /// The keys that lead to the setting, or to a group that comes or goes whole.
    var key: String
    /// nil: it was not there.
    var before: String?
    /// nil: it is there no more.
    var after: String?
    var isSecret = false
    /// When the change takes effect.
    var effect: Configuration.Effect

    /// In the order of the new settings; what is gone comes last.
    static func between(_ old: [Configuration.Setting], _ new: [Configuration.Setting]) -> [SettingChange] {
        let before = Dictionary(old.map { ($0.key, $0) }) { $1 }
        let after = Set(new.map(\.key))
        let changed = new.compactMap { setting -> SettingChange? in
            let former = before[setting.key]
            if former?.value == setting.value { return nil }
            return SettingChange(
                key: setting.key, before: former?.value, after: setting.value, isSecret: setting.isSecret,
                effect: max(setting.effect, former?.effect ?? setting.effect))
        }
        let gone = old.filter { !after.contains($0.key) }.map {
            SettingChange(key: $0.key, before: $0.value, isSecret: $0.isSecret, effect: $0.effect)
        }
        return groups(new, notIn: old).map { SettingChange(key: $0.key, after: "", effect: $0.effect) }
            + groups(old, notIn: new).map { SettingChange(key: $0.key, before: "", effect: $0.effect) }
            + outside(groups(new, notIn: old), changed) + outside(groups(old, notIn: new), gone)
    }

    /// The outermost groups that are in one list alone.
    private static func groups(
        _ settings: [Configuration.Setting], notIn others: [Configuration.Setting]
    ) -> [Configuration.Group] {
        let known = Set(others.flatMap(\.groups))
        var seen: Set<Configuration.Group> = []
        return settings.compactMap { $0.groups.first { !known.contains($0) } }.filter { seen.insert($0).inserted }
    }

    private static func outside(_ groups: [Configuration.Group], _ changes: [SettingChange]) -> [SettingChange] {
        changes.filter { change in !groups.contains { change.key.hasPrefix($0.key + ".") } }
    }
}

extension SettingChange: CustomStringConvertible {
    /// Such as `domains.demo.flush.interval: 1s → 500ms`.
    var description: String {
        switch (before, after) {
        case (nil, ""): "\(key): new"
        case (nil, let after?): isSecret ? "\(key): new" : "\(key): new, \(after)"
        case (_?, nil): "\(key): removed"
        case (let before?, let after?) where !isSecret: "\(key): \(before) → \(after)"
        default: "\(key): changed"
        }
    }
}
