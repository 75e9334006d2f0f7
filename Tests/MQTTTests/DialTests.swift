import Glibc
import Testing

@testable import MQTT

/// A host with several addresses is reached if one of them takes the connection.
@Suite struct DialTests {
    private func address(_ host: String, _ port: UInt16) throws -> Address {
        try #require(try Address.lookUp(host, port: port).first)
    }

    /// Goes on until it is decided.
    private func reach(_ addresses: [Address], within timeout: Duration) throws(Ending) -> (
        socket: Socket, after: Duration
    ) {
        let start = ContinuousClock.now
        var dial = try Dial(addresses, deadline: start + timeout, now: start)
        while true {
            if let socket = try dial.advance(.now) { return (socket, .now - start) }
            usleep(1000)
        }
    }

    private func peer(_ socket: Socket) -> (family: Int32, port: UInt16) {
        var address = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        withUnsafeMutableBytes(of: &address) {
            _ = getpeername(socket.descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &size)
        }
        return (Int32(address.sin6_family), UInt16(bigEndian: address.sin6_port))
    }

    @Test(
        "an address that refuses gives way to the next at once, whichever family each is of",
        arguments: ["127.0.0.1", "::1"])
    func refused(listening: String) throws {
        let descriptor = listener(listening)
        defer { close(descriptor) }
        let port = MQTTTests.port(of: descriptor)
        let other = listening == "::1" ? "127.0.0.1" : "::1"
        let closed = try [address(other, freePort()), address("127.0.0.1", freePort())]
        let (socket, after) = try reach(closed + [address(listening, port)], within: .seconds(20))
        #expect(peer(socket) == (listening == "::1" ? AF_INET6 : AF_INET, port))
        #expect(after < .seconds(3))
    }

    @Test("the first that takes the connection is it")
    func first() throws {
        let (one, two) = (listener("::1"), listener())
        defer {
            close(one)
            close(two)
        }
        let addresses = try [address("::1", port(of: one)), address("127.0.0.1", port(of: two))]
        #expect(peer(try reach(addresses, within: .seconds(5)).socket) == (AF_INET6, port(of: one)))
    }

    @Test("an address that does not answer takes no more than its share of the time")
    func share() throws {
        let hole = BlackHole()
        let descriptor = listener()
        defer { close(descriptor) }
        let addresses = try [address("127.0.0.1", hole.port), address("127.0.0.1", port(of: descriptor))]
        let (socket, after) = try reach(addresses, within: .seconds(2))
        #expect(peer(socket).port == port(of: descriptor))
        #expect(after >= .seconds(1) && after < .milliseconds(1900))
    }

    @Test("when all have failed, it is told how each did")
    func all() throws {
        let hole = BlackHole()
        let addresses = try [
            address("127.0.0.1", hole.port), address("127.0.0.1", freePort()), address("::1", freePort()),
        ]
        let error = #expect(throws: Ending.self) { _ = try reach(addresses, within: .seconds(1)) }
        guard case .system(let errors)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(errors == [ETIMEDOUT, ECONNREFUSED, ECONNREFUSED])
        let told = MQTTError(.connect, .system(errors), .reaching, .init(clientID: "c", host: "h"))
        #expect(told.message == "Connection timed out, then Connection refused (h:1883)")
        #expect(told.hint == "is the broker running, and the port right?")
    }

    @Test("when the last does not answer either, the time is over")
    func timedOut() throws {
        let hole = BlackHole()
        let addresses = try [address("127.0.0.1", hole.port), address("127.0.0.1", hole.port)]
        let start = ContinuousClock.now
        let error = #expect(throws: Ending.self) { _ = try reach(addresses, within: .milliseconds(300)) }
        guard case .timedOut? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(.now - start >= .milliseconds(300))
    }

    @Test("a socket that reached its host sends at once, blocks nobody and is not inherited")
    func settings() throws {
        let descriptor = listener()
        defer { close(descriptor) }
        let (socket, _) = try reach([address("127.0.0.1", port(of: descriptor))], within: .seconds(5))
        var on: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(socket.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, &size)
        #expect(on == 1)
        #expect(fcntl(socket.descriptor, F_GETFD) & FD_CLOEXEC != 0)
        #expect(fcntl(socket.descriptor, F_GETFL) & O_NONBLOCK != 0)
    }
}
