@testable import Windrow

/// The input is a topic, for templates of every kind. It is taken for a template as well.
enum TopicTarget {
    private static let templates: [TopicTemplate] = [
        "nodes/{node}/{tag}", "{node}/{tag}", "{tag}/of/{node}", "a/+/{node}/+/{tag}/z", "/{node}/{tag}/",
        "+/{node}/{tag}", "$share/group/nodes/{node}/{tag}", "$SYS/{node}/{tag}", "größe/{node}/{tag}",
    ].compactMap { try? TopicTemplate($0) }

    static func run(_ input: UnsafeRawBufferPointer) throws(Violation) -> Bool {
        var isAccepted = false
        for template in templates {
            let expected = names(in: input, of: template)
            let found = template.match(input).map { [Array($0.node), Array($0.tag)] }
            try check(found == expected, "\(template.text) matches \(String(describing: found))")
            if try decode(input, template, expected) { isAccepted = true }
        }
        if let text = String(validating: input, as: UTF8.self), let template = try? TopicTemplate(text) {
            try checkTopics(of: template)
        }
        return isAccepted
    }

    /// The node and the tag, by taking topic and template apart.
    private static func names(in topic: some Collection<UInt8>, of template: TopicTemplate) -> [[UInt8]]? {
        let slash = UInt8(ascii: "/")
        let found = topic.split(separator: slash, omittingEmptySubsequences: false).map { Array($0) }
        var levels = template.text.utf8.split(separator: slash, omittingEmptySubsequences: false).map { Array($0) }
        if levels[0] == Array("$share".utf8) { levels.removeFirst(2) }
        guard levels.count == found.count else { return nil }
        var names: [[UInt8]] = [[], []]
        for (place, (level, name)) in zip(levels, found).enumerated() {
            switch String(decoding: level, as: UTF8.self) {
            case "+", "{node}", "{tag}":
                if place == 0, name.first == UInt8(ascii: "$") { return nil }
                if level == Array("{node}".utf8) { names[0] = name }
                if level == Array("{tag}".utf8) { names[1] = name }
            default: if level != name { return nil }
            }
        }
        return names
    }

    private static func decode(
        _ topic: UnsafeRawBufferPointer, _ template: TopicTemplate, _ names: [[UInt8]]?
    ) throws(Violation) -> Bool {
        let texts = names?.map { String(validating: $0, as: UTF8.self) }
        let node = texts.flatMap { $0[0].flatMap { NaiveNames.node($0) } }
        let tag = texts.flatMap { $0[1].flatMap { NaiveNames.tag($0) } }
        let decoder = MessageDecoder(
            subscriptions: [.init(template: template, overwrite: .insert)], guards: PayloadTarget.guards)
        var batch = RecordBatch()
        let result = Array("1".utf8).withUnsafeBytes { payload in
            Result { () throws(Rejection) in
                try decoder.decode(
                    topic: topic, payload: payload, overwriteProperty: nil, isRetained: false,
                    receivedAt: PayloadTarget.guards.oldest, into: &batch)
            }
        }
        switch result {
        case .success(let outcome):
            try check(outcome == .accepted(points: 1), "\(outcome)")
            guard let node, let tag else { throw Violation("accepted, and it should not be: \(batch.series)") }
            try check(batch.series == [SeriesName(node: node, tag: tag)], "the series is \(batch.series)")
            try batch.checkAcceptance()
            return true
        case .failure(let rejection):
            try rejection.check(in: nil)
            try check(batch.isEmpty && batch.series.isEmpty, "a rejected message left a trace")
            let expected: Rejection.Reason = names == nil ? .wrongTopic : node == nil ? .badNode : .badTag
            try check(rejection.reason == expected && (node == nil || tag == nil), "\(rejection), expected \(expected)")
            return false
        }
    }

    /// What is a template matches topics that are made from it.
    private static func checkTopics(of template: TopicTemplate) throws(Violation) {
        var levels = template.text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(decoding: Array($0), as: UTF8.self) }
        let filter = levels.map { sameBytes($0, "{node}") || sameBytes($0, "{tag}") ? "+" : $0 }
        try check(sameBytes(template.filter, filter.joined(separator: "/")), "filter \(template.filter)")
        if sameBytes(levels[0], "$share") { levels.removeFirst(2) }
        let topic = levels.map { sameBytes($0, "{node}") ? "7" : sameBytes($0, "{tag}") ? "t" : $0 }
        let found = Array(topic.joined(separator: "/").utf8).withUnsafeBytes { bytes in
            template.match(bytes).map { [Array($0.node), Array($0.tag)] }
        }
        try check(found == [[UInt8(ascii: "7")], [UInt8(ascii: "t")]], "\(template.text) and \(topic)")
    }
}
