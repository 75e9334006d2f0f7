import NIOCore
import Testing

@testable import Windrow

@Suite struct PassedSocketTests {
    private func named(_ environment: [String: String]) -> [PassedSocket] {
        PassedSocket.named(in: { environment[$0] }, processID: 7)
    }

    @Test("sockets are counted from descriptor 3, with their names, if they are for this process")
    func variables() {
        #expect(
            named(["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:admin"])
                == [PassedSocket(descriptor: 3, name: "http"), PassedSocket(descriptor: 4, name: "admin")])
        #expect(named(["LISTEN_PID": "7", "LISTEN_FDS": "1"]) == [PassedSocket(descriptor: 3, name: "")])
        #expect(named(["LISTEN_PID": "8", "LISTEN_FDS": "1"]).isEmpty)
        #expect(named(["LISTEN_FDS": "1"]).isEmpty)
        for count in ["0", "-1", "x", "99999999999"] {
            #expect(named(["LISTEN_PID": "7", "LISTEN_FDS": count]).isEmpty)
        }
    }

    @Test(
        "a socket is what http.listen asks for when address and port are the same, be it by name or by any port",
        arguments: [
            ("127.0.0.1:8080", true), ("127.0.0.1:0", true), ("localhost:8080", true), ("127.0.0.1:8081", false),
            ("0.0.0.0:8080", false), ("[::1]:8080", false), ("unix:/run/http.sock", false),
        ])
    func sameAddress(_ configured: String, _ isSame: Bool) throws {
        let configured = try #require(Configuration.BridgeAddress(parsing: configured))
        let actual = try #require(Configuration.BridgeAddress(SocketAddress(ipAddress: "127.0.0.1", port: 8080)))
        #expect(configured.isSame(as: actual) == isSame)
    }

    @Test("the date of an answer has the form of RFC 9110")
    func date() {
        #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
}
