import Yams

/// A mapping of the file: its keys are checked when it is made, its values when they are asked for.
struct ConfigurationSection {
    struct Entry {
        let key: String
        /// Of the key.
        let place: ConfigurationPlace
        let value: ConfigurationValue
    }

    /// Of the key that the mapping belongs to, or of the mapping itself in a list or at the top.
    let place: ConfigurationPlace
    let reader: ConfigurationReader
    /// False for a value of another kind, which has been reported: what it lacks need not be told.
    private(set) var isMapping = true
    /// Each key once (Yams refuses a file that repeats one), in the order of the file.
    private(set) var entries: [Entry] = []
    private var index: [String: Int] = [:]

    /// An empty one: for a mapping that isn't there.
    init(missingAt place: ConfigurationPlace, reader: ConfigurationReader) {
        self.place = place
        self.reader = reader
    }

    /// Reports a value that is no mapping, and every key that is no text or not among `keys` (nil accepts all). A key with
    /// nothing below it is an empty mapping: its contents may be commented out.
    init(_ value: ConfigurationValue, at place: ConfigurationPlace? = nil, keys: [String]?) {
        self.init(missingAt: place ?? value.place, reader: value.reader)
        if value.isNothing { return }
        guard value.hasPlainTag else {
            isMapping = false
            return
        }
        guard case .mapping(let mapping) = value.node else {
            let expectation = keys.map { "expected a mapping (keys: \($0.joined(separator: ", ")))" }
            value.report("\(expectation ?? "expected a mapping"), found \(value.kind)")
            isMapping = false
            return
        }
        for (keyNode, node) in mapping {
            let keyValue = ConfigurationValue(keyNode, path: self.place.path, reader: reader)
            guard keyValue.hasPlainTag else { continue }
            guard case .scalar(let scalar) = keyNode else {
                keyValue.report("expected a key, found \(keyValue.kind)")
                continue
            }
            let path = self.place.path(of: scalar.string)
            let entry = Entry(
                key: scalar.string, place: ConfigurationPlace(path: path, mark: keyNode.position),
                value: ConfigurationValue(node, path: path, reader: reader))
            if accept(entry, keys: keys) {
                index[entry.key] = entries.count
                entries.append(entry)
            }
        }
    }

    private func accept(_ entry: Entry, keys: [String]?) -> Bool {
        if entry.key == "<<" {
            reader.report("merge keys are not supported; an alias can stand for a whole value", at: entry.place)
            return false
        }
        guard let keys, !keys.contains(entry.key) else { return true }
        let suggestion = closestName(to: entry.key, among: keys).map { "; did you mean `\($0)`?" } ?? "."
        reader.report("unknown key\(suggestion) Accepted here: \(keys.joined(separator: ", "))", at: entry.place)
        return false
    }

    // MARK: - Values

    func entry(_ key: String) -> Entry? {
        index[key].map { entries[$0] }
    }

    func has(_ key: String) -> Bool { index[key] != nil }

    /// Reports a key that must be there and isn't.
    func required(_ key: String) -> Entry? {
        let entry = entry(key)
        if entry == nil { reader.report("missing key `\(key)`", at: place) }
        return entry
    }

    /// The mapping under a key; an empty one when the key isn't there.
    func section(_ key: String, keys: [String]?) -> ConfigurationSection {
        guard let entry = entry(key) else { return ConfigurationSection(missingAt: place, reader: reader) }
        return ConfigurationSection(entry.value, at: entry.place, keys: keys)
    }

    /// Converts the text under a key. nil when the key isn't there, or when a problem was reported.
    func read<Value>(
        _ key: String, expected: @autoclosure () -> String,
        _ convert: (ConfigurationScalar) throws(ScalarProblem) -> Value
    ) -> Value? {
        guard let entry = entry(key), let scalar = entry.value.scalar(expected: expected()) else { return nil }
        do {
            return try convert(scalar)
        } catch {
            entry.value.report(error.message)
            return nil
        }
    }

    func duration(_ key: String, in range: ClosedRange<Duration>, wholeSeconds: Bool = false) -> Duration? {
        read(key, expected: DurationText.example) { scalar throws(ScalarProblem) in
            switch DurationText.parse(scalar.text) {
            case .malformed: throw scalar.unexpected(DurationText.example)
            case .missingUnit: throw scalar.unexpected(DurationText.example, hint: "add a unit, as in 5s")
            case .value(let duration):
                let bounds = "from \(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))"
                guard range.contains(duration) else { throw scalar.unexpected("a duration \(bounds)") }
                guard !wholeSeconds || duration.components.attoseconds == 0 else {
                    throw scalar.unexpected("whole seconds \(bounds)")
                }
                return duration
            }
        }
    }

    func calendarInterval(_ key: String) -> CalendarInterval? {
        let expected = "an interval such as 6 hours, 1 week, 3 months or 2 years"
        return read(key, expected: expected) { scalar throws(ScalarProblem) in
            guard let interval = CalendarInterval(scalar.text) else { throw scalar.unexpected(expected) }
            return interval
        }
    }

    /// Bytes.
    func size(_ key: String, in range: ClosedRange<Int64>) -> Int64? {
        read(key, expected: SizeText.example) { scalar throws(ScalarProblem) in
            switch SizeText.parse(scalar.text) {
            case .malformed: throw scalar.unexpected(SizeText.example)
            case .missingUnit: throw scalar.unexpected(SizeText.example, hint: "add a unit, as in 64MiB")
            case .value(let bytes):
                guard range.contains(bytes) else {
                    throw scalar.unexpected(
                        "a size from \(SizeText.format(range.lowerBound)) to \(SizeText.format(range.upperBound))")
                }
                return bytes
            }
        }
    }

    func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        return read(key, expected: expected) { scalar throws(ScalarProblem) in
            guard scalar.text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(scalar.text),
                range.contains(number)
            else { throw scalar.unexpected(expected) }
            return number
        }
    }

    /// One of an enumeration's names.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(_ key: String, of type: Choice.Type) -> Choice? {
        let names = type.allCases.map(\.rawValue)
        let expected = "one of \(names.joined(separator: ", "))"
        return read(key, expected: expected) { scalar throws(ScalarProblem) in
            guard let choice = Choice(rawValue: scalar.text) else {
                let meant = closestName(to: scalar.text, among: names)
                throw scalar.unexpected(expected, hint: meant.map { "did you mean \($0)?" })
            }
            return choice
        }
    }

    /// A text of 1 to `maxBytes` bytes of UTF-8.
    func text(_ key: String, expected: String, maxBytes: Int = 65_535) -> String? {
        read(key, expected: expected) { scalar throws(ScalarProblem) in
            if scalar.text.isEmpty { throw ScalarProblem(message: "expected \(expected), found an empty text") }
            let length = scalar.text.utf8.count
            if length > maxBytes {
                throw ScalarProblem(message: "expected \(expected) of at most \(maxBytes) bytes, found \(length) bytes")
            }
            return scalar.text
        }
    }

    /// A text that messages don't show.
    func secret(_ key: String, expected: String) -> Secret? {
        text(key, expected: expected).map(Secret.init)
    }

    /// The content of the file that a key names; nil, reported, when it can't be read or is empty.
    func file(_ key: String) -> (path: String, content: [UInt8])? {
        guard let path = text(key, expected: "the path of a file", maxBytes: 4095), let entry = entry(key) else {
            return nil
        }
        do {
            let (found, content) = try reader.files.content(of: path)
            if content.isEmpty {
                entry.value.report("\(found) is empty")
                return nil
            }
            return (found, content)
        } catch {
            let also = error.path == reader.files.absolute(path) && error.path != path ? reader.files.credentials : nil
            entry.value.report(
                error.description + (also.map { "; $CREDENTIALS_DIRECTORY (\($0)) was looked into first" } ?? ""))
            return nil
        }
    }
}
