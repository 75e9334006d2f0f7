import Hummingbird
import NIOCore

/// JSON in the making.
struct JSONText {
    static let mediaType = "application/json"

    private(set) var bytes: [UInt8] = []

    mutating func write(_ text: String) {
        bytes += text.utf8
    }

    /// The members that name a series.
    mutating func write(_ series: SeriesName) {
        switch series.node {
        case .id(let id): write(#""node_id":\#(id)"#)
        case .uuid(let uuid): write(#""node_id":"\#(uuid)""#)
        }
        // A tag has no control characters: these two are all that must be escaped (RFC 8259, section 7).
        write(#","tag":""#)
        for byte in series.tag.name.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
            bytes.append(byte)
        }
        write("\"")
    }

    func response(_ status: HTTPResponse.Status) -> Response {
        Response(
            status: status, headers: [.contentType: Self.mediaType],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
