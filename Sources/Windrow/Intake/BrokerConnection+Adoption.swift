import Glibc
import MQTT

// A daemon that was killed leaves a session at the broker that is in its groups still: mosquitto goes on to assign messages to it, and
// drops them when the session expires. So another daemon of these groups connects in its place for a moment, does what the other one
// would have done when stopped in good order, and leaves the session empty. When the other one comes back meanwhile, the broker gives
// it its session, and with it what was not acknowledged: nothing is lost either way.

extension BrokerConnection {
    /// For one try. What is left is taken by the next one.
    private static let adoptionTime = Duration.seconds(60)

    /// Accepts what the broker keeps for a session whose daemon is gone, and takes the session out of its groups.
    ///
    /// The orders name the session, and the rules of one that has the same subscriptions.
    /// - Returns: how many messages it accepted, and whether there may be more.
    /// - Throws: `MQTTError`, `JournalError`. What came before is acknowledged, the rest comes again.
    func adopt(_ session: SharedSession) throws -> (messages: Int, mayHaveMore: Bool) {
        // They come late, between those that others were given.
        let intake = makeIntake(filters: [], decoder: orders.rules.decoderForLate)
        var options = Client.Options(orders.broker)
        options.payloadLimit = intake.payloadLimit
        let client = try Client(options, handler: intake)
        intake.begin(client: client, session: name, isNews: true)
        defer { intake.end() }
        try client.connect()
        let deadline = ContinuousClock.now + Self.adoptionTime
        func isOver() -> Bool { ContinuousClock.now >= deadline || wake.isStopping || !journal.hasRoom }
        var count = 0
        while !client.isConnected {
            if isOver() { return (0, true) }
            try turn(client, intake, &count)
        }
        let mayHaveMore = try unsubscribe(session.filters.sorted(), client, intake, &count, unless: isOver)
        client.disconnect()
        return (count, mayHaveMore)
    }
}
