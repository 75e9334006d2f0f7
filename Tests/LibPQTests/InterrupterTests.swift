import Foundation
import Testing
import WindrowTestSupport

@testable import LibPQ

@Suite struct InterrupterTests {
    @Test("another thread ends what a connection waits for, and the connection is lost")
    func interrupt() throws {
        let connection = try TestDatabase.connect(statementTimeout: .seconds(60))
        let (interrupter, backend) = (connection.interrupter, connection.backendID)
        // Only once the server is at it: before, there would be nothing to interrupt.
        let thread = Thread {
            // Failing, it leaves the statement to its own end, which the test then tells.
            try? waitUntil("the statement runs") {
                try TestDatabase.connect().execute(
                    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep')",
                    [.int4(backend)]
                ).bool(0, 0)
            }
            interrupter.interrupt()
        }
        thread.start()
        let error = try #require(throws: PostgresError.self) { try connection.execute("SELECT pg_sleep(50)") }
        #expect(error.kind == .connectionLost)
        #expect(!connection.isUsable)
    }

    @Test("a connection that is closed is left alone")
    func afterClose() throws {
        let connection = try TestDatabase.connect(statementTimeout: .seconds(60))
        connection.close()
        let other = try TestDatabase.connect(statementTimeout: .seconds(60))
        // The other one may have been given the number of the socket.
        connection.interrupter.interrupt()
        #expect(try other.execute("SELECT 1").int32(0, 0) == 1)
    }
}
