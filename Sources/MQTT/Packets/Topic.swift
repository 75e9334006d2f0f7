/// Names that messages are published under, and filters that subscribe to them. MQTT 5, section 4.7.
enum Topic {
    /// A topic's name is text without wildcards, and not empty.
    static func check(name: UnsafeRawBufferPointer) throws(PacketError) {
        guard name.count >= 8 else { return try checkEach(name) }
        var place = 0
        while true {
            let word = name.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            let isPlain =
                word & EightBytes.highBits == 0 && !EightBytes.hasZero(word)
                && !EightBytes.has(plus, word) && !EightBytes.has(hash, word)
            guard isPlain else { return try checkEach(name) }
            if place == name.count - 8 { return }
            // The last eight bytes may be looked at in part for a second time.
            place = min(place + 8, name.count - 8)
        }
    }

    private static func checkEach(_ name: UnsafeRawBufferPointer) throws(PacketError) {
        guard !name.isEmpty else { throw .topicEmpty }
        guard UTF8Text.isValid(name) else { throw .topicText }
        for byte in name where byte == plus || byte == hash { throw .topicWildcard }
    }

    /// Whether it is a filter: `+` stands for a whole level, `#` for all at the end. In a shared one, a name without
    /// wildcards and a filter follow `$share/`. MQTT 5, sections 4.7.1 and 4.8.2.
    static func isFilter(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= UInt16.max, !text.utf8.contains(0) else { return false }
        var levels = text.utf8.split(separator: slash, omittingEmptySubsequences: false)[...]
        if levels.first.map({ $0.elementsEqual("$share".utf8) }) == true {
            guard levels.count >= 3, let name = levels.dropFirst().first, !name.isEmpty, !name.contains(plus),
                !name.contains(hash)
            else { return false }
            levels = levels.dropFirst(2)
            guard levels.count > 1 || levels.first?.isEmpty == false else { return false }
        }
        return levels.enumerated().allSatisfy { place, level in
            if level.contains(hash) { return level.count == 1 && place == levels.count - 1 }
            return !level.contains(plus) || level.count == 1
        }
    }

    private static let plus = UInt8(ascii: "+")
    private static let hash = UInt8(ascii: "#")
    private static let slash = UInt8(ascii: "/")
}
