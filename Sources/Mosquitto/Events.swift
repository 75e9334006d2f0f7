internal import CMosquitto
import Glibc

/// What libmosquitto's callbacks report about one connection. Only the thread in the loop call touches it.
final class Events {
    private let handler: any ClientHandler

    /// Set by an accepting CONNACK.
    private(set) var isConnected = false
    /// Set by a refusing CONNACK.
    private(set) var refusal: ReasonCode?
    /// Set when the broker's DISCONNECT, ours or an error ended the connection.
    private(set) var endReason: ReasonCode?
    /// libmosquitto's error lines, up to CONNACK: the one place where it says what TLS did not like.
    private(set) var errorLines: [String] = []
    /// Whether the handler is being called just now.
    private(set) var isCallingHandler = false

    /// Whether a packet with a callback has come since this was last reset.
    var sawPacket = false
    var messages = 0
    var messageLimit = 0

    init(handler: any ClientHandler) { self.handler = handler }

    /// Has libmosquitto call the object that was given to `mosquitto_new` as `context`.
    static func setCallbacks(of mosquitto: OpaquePointer) {
        mosquitto_connect_v5_callback_set(mosquitto) { mosquitto, context, reason, flags, _ in
            // The log costs two formatted lines a message, so it is on for the start only.
            mosquitto_log_callback_set(mosquitto, nil)
            Events.of(context).connected(ReasonCode(rawValue: UInt8(truncatingIfNeeded: reason)), flags: flags)
        }
        mosquitto_disconnect_v5_callback_set(mosquitto) { _, context, reason, _ in
            Events.of(context).endReason = ReasonCode(rawValue: UInt8(truncatingIfNeeded: reason))
        }
        mosquitto_message_v5_callback_set(mosquitto) { _, context, message, properties in
            Events.of(context).received(message!.pointee, properties)
        }
        mosquitto_subscribe_v5_callback_set(mosquitto) { _, context, messageID, count, results, _ in
            Events.of(context).subscribed(messageID, UnsafeBufferPointer(start: results, count: Int(count)))
        }
        mosquitto_unsubscribe_v5_callback_set(mosquitto) { _, context, messageID, _ in
            Events.of(context).unsubscribed(messageID)
        }
        mosquitto_log_callback_set(mosquitto) { _, context, level, line in
            guard UInt32(bitPattern: level) == UInt32(MOSQ_LOG_ERR), let line else { return }
            Events.of(context).errorLines.append(String(cString: line))
        }
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> Events {
        // Retained by Connection for as long as libmosquitto can call.
        Unmanaged<Events>.fromOpaque(context!).takeUnretainedValue()
    }

    private func connected(_ reason: ReasonCode, flags: Int32) {
        sawPacket = true
        guard reason.rawValue == 0 else {
            refusal = reason
            return
        }
        isConnected = true
        errorLines = []
        call { $0.connected(sessionPresent: flags & 1 != 0) }
    }

    private func received(_ message: mosquitto_message, _ properties: OpaquePointer?) {
        sawPacket = true
        call { $0.received(Message(message, properties: properties)) }
        messages += 1
        // With TLS, one mosquitto_loop_read goes on through all that is decrypted already, unless it finds this.
        if messages >= messageLimit { errno = EAGAIN }
    }

    private func subscribed(_ messageID: Int32, _ results: UnsafeBufferPointer<Int32>) {
        sawPacket = true
        let results = results.map { SubscriptionResult(UInt8(truncatingIfNeeded: $0)) }
        call { $0.subscribed(MessageID(rawValue: UInt16(truncatingIfNeeded: messageID)), results: results) }
    }

    private func unsubscribed(_ messageID: Int32) {
        sawPacket = true
        call { $0.unsubscribed(MessageID(rawValue: UInt16(truncatingIfNeeded: messageID))) }
    }

    private func call(_ body: (any ClientHandler) -> Void) {
        isCallingHandler = true
        body(handler)
        isCallingHandler = false
    }
}
