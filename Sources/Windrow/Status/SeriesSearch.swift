/// What somebody typed to find series: a node, a part of a tag, or both as `node/tag`.
struct SeriesSearch: Equatable, Sendable {
    var node: NodeName?
    /// Found anywhere in the tag, in any case.
    var tag: String?
    /// Whether both must be so; else one of them.
    var needsBoth = false

    /// nil when nothing can be found by it: the side before the `/` is no node.
    init?(_ text: String) {
        let text = text.trimmingPrefix(while: \.isWhitespace)
        let sides = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if sides.count == 2 {
            needsBoth = true
            if !sides[0].isEmpty {
                guard let node = NodeName(sides[0]) else { return nil }
                self.node = node
            }
            tag = sides[1].isEmpty ? nil : sides[1]
        } else if !text.isEmpty {
            node = NodeName(String(text))
            tag = String(text)
        }
    }

    /// A pattern for LIKE, whose own signs stand for themselves.
    var tagPattern: String? {
        tag.map { tag in
            "%" + tag.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_") + "%"
        }
    }
}
