internal import CMosquitto
import Glibc

extension Connection {
    func subscribe(_ filters: [String], retained: RetainedDelivery) throws(MosquittoError) -> MessageID {
        try request(.subscribe, filters) { messageID, count, filters in
            mosquitto_subscribe_multiple(mosquitto, messageID, count, filters, 1, retained.option, nil)
        }
    }

    func unsubscribe(_ filters: [String]) throws(MosquittoError) -> MessageID {
        try request(.unsubscribe, filters) { messageID, count, filters in
            mosquitto_unsubscribe_multiple(mosquitto, messageID, count, filters, nil)
        }
    }

    private typealias Filters = UnsafePointer<UnsafeMutablePointer<CChar>?>

    private func request(
        _ operation: MosquittoError.Operation, _ filters: [String],
        _ send: (UnsafeMutablePointer<Int32>, Int32, Filters) -> Int32
    ) throws(MosquittoError) -> MessageID {
        guard events.isConnected else { throw .notConnected(operation) }
        guard !filters.isEmpty else {
            throw MosquittoError(operation: operation, code: .invalid, message: "no topic filter was given")
        }
        for filter in filters where !isTopicFilter(filter) {
            throw MosquittoError(
                operation: operation, code: .invalid, message: "not a topic filter: \(filter.debugDescription)",
                hint: "+ stands for one whole level, # for all the levels at the end")
        }
        let copies = filters.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var messageID: Int32 = 0
        let code = copies.withUnsafeBufferPointer { send(&messageID, Int32($0.count), $0.baseAddress!) }
        guard code == MOSQ_ERR_SUCCESS.rawValue else {
            throw MosquittoError(
                operation: operation, code: .init(rawValue: code),
                message: MosquittoError.Code(rawValue: code).message(errno: 0))
        }
        return MessageID(rawValue: UInt16(truncatingIfNeeded: messageID))
    }

    /// libmosquitto would let an empty one pass, and cut one with a NUL.
    private func isTopicFilter(_ text: String) -> Bool {
        !text.isEmpty && !text.utf8.contains(0) && mosquitto_sub_topic_check(text) == MOSQ_ERR_SUCCESS.rawValue
    }
}

extension RetainedDelivery {
    fileprivate var option: Int32 {
        switch self {
        case .always: Int32(MQTT_SUB_OPT_SEND_RETAIN_ALWAYS.rawValue)
        case .toNewSubscription: Int32(MQTT_SUB_OPT_SEND_RETAIN_NEW.rawValue)
        case .never: Int32(MQTT_SUB_OPT_SEND_RETAIN_NEVER.rawValue)
        }
    }
}
