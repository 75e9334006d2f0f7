import Hummingbird
import NIOCore

/// The description of the call, for people and for generators of clients: `openapi.json`, as it stands beside this file.
enum OpenAPI {
    static var response: Response {
        Response(
            status: .ok, headers: [.contentType: JSONText.mediaType],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json)))
    }
}
