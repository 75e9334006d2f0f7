/// What was found in the input, for sentences that people read: a little of it, and nothing that does not print.
extension String {
    /// The bytes in quotation marks.
    init(quoting bytes: UnsafeRawBufferPointer) {
        self = "\"\(String(excerptOf: bytes))\""
    }

    init(quoting text: String) {
        var text = text
        self = text.withUTF8 { String(quoting: UnsafeRawBufferPointer($0)) }
    }

    /// The bytes as they are, as far as they print.
    /// - Parameters:
    ///   - limit: how many of them at most.
    ///   - escapesQuotes: whether quotation marks and backslashes get a backslash, as between quotation marks they must.
    init(excerptOf bytes: UnsafeRawBufferPointer, limit: Int = 64, escapesQuotes: Bool = true) {
        self = ""
        var count = min(bytes.count, limit)
        if count < bytes.count {
            // Not in the middle of a character: UTF-8 has up to three continuation bytes.
            var cut = count
            while cut > max(count - 4, 0), bytes[cut] & 0xC0 == 0x80 { cut -= 1 }
            if bytes[cut] & 0xC0 != 0x80 { count = cut }
        }
        for scalar in String(decoding: bytes[..<count], as: UTF8.self).unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
                self += "\\u{\(String(scalar.value, radix: 16))}"
            default:
                if escapesQuotes, scalar == "\"" || scalar == "\\" { self += "\\" }
                unicodeScalars.append(scalar)
            }
        }
        if count < bytes.count { self += "…" }
    }
}
