/// What was found in the input, for sentences that people read: at most 64 bytes of it, and nothing that does not print.
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
    init(excerptOf bytes: UnsafeRawBufferPointer) {
        self = ""
        var count = min(bytes.count, 64)
        if count < bytes.count {
            // Not in the middle of a character: UTF-8 has up to three continuation bytes.
            var cut = count
            while cut > count - 4, bytes[cut] & 0xC0 == 0x80 { cut -= 1 }
            if bytes[cut] & 0xC0 != 0x80 { count = cut }
        }
        for scalar in String(decoding: bytes[..<count], as: UTF8.self).unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
                self += "\\u{\(String(scalar.value, radix: 16))}"
            default:
                if scalar == "\"" || scalar == "\\" { self += "\\" }
                unicodeScalars.append(scalar)
            }
        }
        if count < bytes.count { self += "…" }
    }
}
