import CSimdJSON

/// The buffers of the JSON tokeniser (`CSimdJSON.h`). Not Sendable; what it returns is valid until the next call.
final class JSONTokens {
    private let parser: OpaquePointer

    init() {
        guard let parser = sj_parser_create() else { preconditionFailure("memory is out") }
        self.parser = parser
    }

    deinit {
        sj_parser_destroy(parser)
    }

    /// Throws unless the bytes are one JSON document, through and through. `items` says what the items of an array at its root are.
    func read(_ bytes: UnsafeRawBufferPointer, items: SJItems) throws(Rejection) -> SJDocument {
        try checked(sj_parse(parser, bytes.baseAddress, bytes.count, items).pointee, byteCount: bytes.count)
    }

    /// As `read`, without a copy of the document.
    /// - Parameter padded: the document and, behind it, `padding` bytes. All of it may be changed, and must stay where it is as long
    ///   as the document is used.
    func read(inPlace padded: UnsafeMutableRawBufferPointer, items: SJItems) throws(Rejection) -> SJDocument {
        let count = padded.count - Self.padding
        return try checked(sj_parse_in_place(parser, padded.baseAddress, count, items).pointee, byteCount: count)
    }

    static let padding = Int(SJ_PADDING)

    private func checked(_ document: SJDocument, byteCount: Int) throws(Rejection) -> SJDocument {
        if document.status != .done { throw document.rejection(byteCount: byteCount) }
        return document
    }
}

extension SJDocument {
    /// What the text says; valid as long as the document.
    @inline(__always)
    func bytes(of text: SJText) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes + Int(text.offset), count: Int(text.length))
    }

    /// The `data` of one element.
    func points(of element: SJElement) -> UnsafeBufferPointer<SJPoint> {
        UnsafeBufferPointer(start: points.map { $0 + Int(element.firstPoint) }, count: Int(element.pointCount))
    }

    /// What a token is, to follow `is` in a sentence: `a string ("abc")`.
    func description(of kind: SJKind, _ text: SJText) -> String {
        switch kind {
        case .absent, .noObject: "missing"
        case .null: "null"
        case .boolean: String(excerptOf: bytes(of: text))
        case .number: "the number \(String(excerptOf: bytes(of: text)))"
        case .hugeNumber: "the number \(String(excerptOf: bytes(of: text))), too large for a double"
        case .string: "a string (\(String(quoting: bytes(of: text))))"
        case .array: "an array"
        case .object: "an object"
        }
    }

    func description(of token: SJToken) -> String {
        description(of: token.kind, token.text)
    }

    fileprivate func rejection(byteCount: Int) -> Rejection {
        switch status {
        case .empty:
            Rejection(.emptyPayload, byteCount == 0 ? "the payload is empty" : "the payload is nothing but whitespace")
        case .invalidUTF8:
            Rejection(.invalidUTF8, "the payload is not UTF-8 text")
        case .tooDeep:
            Rejection(
                .tooDeep, "at byte \(errorOffset): more than \(SJ_MAX_DEPTH) arrays and objects inside one another")
        case .tooLong, .outOfMemory:
            Rejection(.wrongShape, "the payload of \(byteCount) bytes is too long to be read")
        case .unclosedString:
            Rejection(.malformedJSON, "not JSON: a string has no closing quote")
        case .controlCharacter:
            Rejection(.malformedJSON, "not JSON: a string has a control character that is not written as an escape")
        case .expectedValue: malformed("expected a value")
        case .expectedKey: malformed("expected a field's name in quotes")
        case .expectedColon: malformed("expected a colon behind the field's name")
        case .expectedCommaOrBracket: malformed("expected a comma or the array's closing bracket")
        case .expectedCommaOrBrace: malformed("expected a comma or the object's closing brace")
        case .expectedEnd: malformed("expected the end of the payload")
        case .expectedNumber: malformed("a number is not written as in JSON")
        case .expectedLiteral: malformed("expected true, false or null")
        case .expectedEscape: malformed("a string has an escape that JSON does not know")
        case .done: preconditionFailure("a document without an error")
        }
    }

    private func malformed(_ expected: String) -> Rejection {
        let offset = Int(errorOffset)
        guard offset < byteCount else {
            return Rejection(.malformedJSON, "not JSON: \(expected), found the end of the payload")
        }
        let rest = UnsafeRawBufferPointer(start: bytes + offset, count: min(Int(byteCount) - offset, 16))
        // What many a library writes for a number that is not finite.
        if rest.starts(with: "NaN".utf8) || rest.starts(with: "Infinity".utf8) {
            return Rejection(
                .badValue,
                "at byte \(offset): JSON has no NaN and no Infinity, found \(String(quoting: rest)); expected a finite number"
            )
        }
        return Rejection(.malformedJSON, "not JSON at byte \(offset): \(expected), found \(String(quoting: rest))")
    }
}
