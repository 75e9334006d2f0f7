/// What bounds publishing on a connection.
struct Publishing {
    /// Messages that may be under way.
    var window = 0
    /// Bytes that may be kept for want of an answer.
    var bytes = 0
    var takesQoS1 = true
    /// The broker kept the session, so it may have got what is sent again.
    var continuesSession = false
}

extension Exchange {
    /// - Returns: false if nothing more may be under way.
    func publish(_ token: UInt64, on topic: [UInt8], _ payload: [UInt8]) throws(MQTTError) -> Bool {
        guard isAccepted else { throw .notConnected(.publish) }
        guard publishing.takesQoS1 else {
            throw MQTTError(
                operation: .publish, code: .refused, reason: .qosNotSupported,
                message: "the broker takes no messages at QoS 1",
                hint: "QoS 0 promises nothing: use a broker that takes QoS 1")
        }
        guard !outbox.hasUnsent, outbox.underWay < publishing.window,
            outbox.count == 0 || outbox.bytes < publishing.bytes
        else { return false }
        try check(topic)
        let size = Requests.publishSize(topic: topic.count, payload: payload.count)
        guard size <= maximumPacketSize else {
            throw MQTTError(
                operation: .publish, code: .packetTooLarge,
                message: "the message has \(size) bytes, and the broker takes no more than \(maximumPacketSize)",
                hint: "publish smaller messages, or raise the broker's limit")
        }
        // They are given out in turn, so the next is taken only if the oldest message has waited for all the others there are.
        guard let messageID = nextMessageID() else { return false }
        lastMessageID = messageID
        outbox.append(token, messageID, topic: topic, payload: payload, size: size)
        sendFromOutbox()
        return true
    }

    private func nextMessageID() -> UInt16? {
        var candidate = lastMessageID
        repeat {
            candidate = candidate == .max ? 1 : candidate + 1
            if candidate == outbox.oldestID { return nil }
        } while isRequested(candidate)
        return candidate
    }

    /// Takes PUBACK.
    func takeAnswer(_ packet: IncomingPacket) throws(PacketError) {
        // To a client that publishes nothing it is like any other packet that it cannot be sent.
        guard outbox.underWay > 0 else { throw .unexpectedPacket }
        let answer = try PublishAnswer(packet.body)
        guard let token = outbox.answer(answer.messageID) else { throw .unaskedAnswer }
        sendFromOutbox()
        call { $0.published(token, answer.reason) }
    }

    /// Queues what is not sent yet, as far as the broker takes it.
    func sendFromOutbox() {
        while outbox.underWay < publishing.window,
            let packet = outbox.takeUnsent(isRepetition: publishing.continuesSession)
        {
            outgoing.append(packet)
        }
    }

    private func check(_ topic: [UInt8]) throws(MQTTError) {
        // A closure of an array's cannot throw errors of one type.
        let why = topic.withUnsafeBytes { bytes -> PacketError? in
            guard bytes.count <= UInt16.max else { return .tooLarge }
            do throws(PacketError) {
                try Topic.check(name: bytes)
                return nil
            } catch {
                return error
            }
        }
        guard let why else { return }
        throw MQTTError(
            operation: .publish, code: why == .topicText ? .malformedUTF8 : .invalid,
            message:
                "not a topic to publish on: \(String(decoding: topic.prefix(300), as: UTF8.self).debugDescription)",
            hint: "a topic has 1 to 65535 bytes of UTF-8, no NUL, and neither + nor #")
    }
}
