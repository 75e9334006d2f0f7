extension SeriesName {
    /// Throws unless the bytes name a node and a tag.
    init(node: UnsafeRawBufferPointer, tag: UnsafeRawBufferPointer) throws(Rejection) {
        guard let nodeName = NodeName(utf8: node) else {
            throw Rejection(
                .badNode,
                "the node \(String(quoting: node)) is neither an integer from 1 to \(Int64.max) nor a UUID such as "
                    + "12345678-1234-1234-1234-123456789012")
        }
        guard let tagName = Tag(utf8: tag) else {
            throw Rejection(.badTag, "the tag \(String(quoting: tag)) is not \(Tag.expectation)")
        }
        self.init(node: nodeName, tag: tagName)
    }
}
