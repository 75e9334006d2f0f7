/// What a broker's bytes mean to a client that asked for two subscriptions and to end one: MQTT 5 in the plainest way.
struct NaiveMQTT {
    enum Event: Equatable {
        case connected(Bool)
        /// The codes of SUBACK; of UNSUBACK none.
        case answered(UInt16, [UInt8])
        case message(Message)
    }

    struct Message: Equatable {
        var topic: [UInt8]
        var payload: [UInt8]
        var size: Int
        var qos: UInt8
        var isRetained: Bool
        var overwrite: [UInt8]?
    }

    enum Ending: Equatable {
        case none, violation
        case refused(UInt8), disconnected(UInt8)
    }

    private(set) var events: [Event] = []
    private(set) var sent: [UInt8] = []
    private(set) var ending = Ending.none

    private let payloadLimit: Int
    private var isConnected = false
    /// Identifiers of requests, with the first byte of their answers and how many codes those have.
    private var requests: [UInt16: (UInt8, Int)] = [:]

    private enum Stop: Error {
        case incomplete, violation
        case refused(UInt8), disconnected(UInt8)
    }

    init(_ bytes: [UInt8], capacity: Int, payloadLimit: Int) {
        self.payloadLimit = payloadLimit
        var rest = bytes[...]
        do throws(Stop) {
            while !rest.isEmpty { try packet(&rest, capacity) }
        } catch {
            switch error {
            case .incomplete: break
            case .violation: ending = .violation
            case .refused(let reason): ending = .refused(reason)
            case .disconnected(let reason): ending = .disconnected(reason)
            }
        }
    }

    private mutating func packet(_ bytes: inout ArraySlice<UInt8>, _ capacity: Int) throws(Stop) {
        let count = bytes.count
        let first = try byte(&bytes, else: .incomplete)
        let flags: UInt8 = [0x60, 0x80, 0xA0].contains(first & 0xF0) ? 2 : 0
        let isMessage = first >> 4 == 3
        guard first >> 4 > 0, isMessage || first & 0x0F == flags else { throw .violation }
        let size = try variable(&bytes, else: .incomplete)
        let whole = count - bytes.count + size
        if !isMessage, whole > 1 << 20 { throw .violation }
        guard bytes.count >= size else {
            if isMessage, whole > capacity { try checkBeginning(bytes, size, hasID: first & 6 != 0) }
            throw .incomplete
        }
        var body = bytes.prefix(size)
        bytes = bytes.dropFirst(size)
        guard isConnected || first == 0x20 else { throw .violation }
        switch first >> 4 {
        case 2: try acceptance(&body)
        case 3: try message(first, &body)
        case 9, 11: try answer(first, &body)
        case 13: if !body.isEmpty { throw .violation }
        case 14: try end(&body)
        default: throw .violation
        }
    }

    /// Of a message that is larger than the buffer, it is known early where its payload should begin.
    private func checkBeginning(_ bytes: ArraySlice<UInt8>, _ size: Int, hasID: Bool) throws(Stop) {
        var rest = bytes
        _ = try self.bytes(&rest, Int(try number(&rest, 2, else: .incomplete)), else: .incomplete)
        if hasID { _ = try number(&rest, 2, else: .incomplete) }
        let properties = try variable(&rest, else: .incomplete)
        if bytes.count - rest.count + properties > size { throw .violation }
    }

    private mutating func acceptance(_ body: inout ArraySlice<UInt8>) throws(Stop) {
        guard !isConnected else { throw .violation }
        let (flags, code) = (try byte(&body), try byte(&body))
        guard flags <= 1 else { throw .violation }
        if body.isEmpty {
            if code == 0 { throw .violation }
            // What MQTT 3 knows.
            throw .refused([1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87][code] ?? (code < 0x80 ? 0x80 : code))
        }
        let found = try properties(
            &body,
            [0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A])
        guard body.isEmpty, code == 0 || code >= 0x80 else { throw .violation }
        if code != 0 { throw .refused(code) }
        isConnected = true
        events.append(.connected(flags == 1))
        let most = found.last { $0.name == 0x27 }?.number ?? .max
        var id: UInt16 = 0
        for (request, answer) in [
            ([0x82, 15, 0, 0, 0, 0, 3, 0x61, 0x2F, 0x23, 0x21, 0, 3, 0x62, 0x2F, 0x2B, 0x21], (0x90, 2)),
            ([0xA2, 6, 0, 0, 0, 0, 1, 0x63], (0xB0, 1)),
        ] as [([UInt8], (UInt8, Int))] where request.count <= most {
            id += 1
            requests[id] = answer
            sent += request.prefix(3) + [UInt8(id)] + request.dropFirst(4)
        }
    }

    private mutating func message(_ first: UInt8, _ body: inout ArraySlice<UInt8>) throws(Stop) {
        let qos = first >> 1 & 3
        guard qos < 2 else { throw .violation }
        let topic = try text(&body)
        guard !topic.isEmpty, !topic.contains(0x2B), !topic.contains(0x23) else { throw .violation }
        let id = qos == 0 ? 1 : try number(&body, 2)
        guard id > 0 else { throw .violation }
        // No topic alias: none was allowed.
        let found = try properties(&body, [0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x26])
        if qos > 0 { sent += [0x40, 2, UInt8(id >> 8), UInt8(id & 0xFF)] }
        events.append(
            .message(
                Message(
                    topic: topic, payload: Array(body.prefix(payloadLimit)), size: body.count, qos: qos,
                    isRetained: first & 1 == 1,
                    overwrite: found.last { $0.name == 0x26 && $0.key == Array("overwrite".utf8) }?.value)))
    }

    private mutating func answer(_ first: UInt8, _ body: inout ArraySlice<UInt8>) throws(Stop) {
        let id = UInt16(try number(&body, 2))
        _ = try properties(&body, [0x1F, 0x26])
        guard let (answer, count) = requests[id], answer == first, count == body.count else { throw .violation }
        requests[id] = nil
        events.append(.answered(id, first == 0x90 ? Array(body) : []))
    }

    private func end(_ body: inout ArraySlice<UInt8>) throws(Stop) {
        let reason = body.isEmpty ? 0 : try byte(&body)
        if !body.isEmpty { _ = try properties(&body, [0x1C, 0x1F, 0x26]) }
        guard body.isEmpty else { throw .violation }
        throw .disconnected(reason)
    }

    // MARK: What packets are made of

    private struct Property {
        var name: UInt8
        var number = 1
        var key: [UInt8] = []
        var value: [UInt8] = []
    }

    private func properties(_ body: inout ArraySlice<UInt8>, _ allowed: Set<UInt8>) throws(Stop) -> [Property] {
        var list = try bytes(&body, try variable(&body))
        var found: [Property] = []
        while !list.isEmpty {
            var property = Property(name: try byte(&list))
            let name = property.name
            guard allowed.contains(name) else { throw .violation }
            if name != 0x26, name != 0x0B, found.contains(where: { $0.name == name }) { throw .violation }
            switch name {
            case 0x01, 0x24, 0x25, 0x28, 0x29, 0x2A: if try number(&list, 1) > 1 { throw .violation }
            case 0x13, 0x22: _ = try number(&list, 2)
            case 0x21: property.number = try number(&list, 2)
            case 0x02, 0x11: _ = try number(&list, 4)
            case 0x27: property.number = try number(&list, 4)
            case 0x0B: property.number = try variable(&list)
            case 0x09, 0x16: _ = try bytes(&list, try number(&list, 2))
            case 0x26: (property.key, property.value) = (try text(&list), try text(&list))
            default: _ = try text(&list)
            }
            if property.number == 0 { throw .violation }
            found.append(property)
        }
        return found
    }

    private func text(_ body: inout ArraySlice<UInt8>) throws(Stop) -> [UInt8] {
        let text = Array(try bytes(&body, try number(&body, 2)))
        guard String(validating: text, as: UTF8.self) != nil, !text.contains(0) else { throw .violation }
        return text
    }

    private func byte(_ body: inout ArraySlice<UInt8>, else stop: Stop = .violation) throws(Stop) -> UInt8 {
        guard let byte = body.popFirst() else { throw stop }
        return byte
    }

    private func bytes(
        _ body: inout ArraySlice<UInt8>, _ count: Int, else stop: Stop = .violation
    ) throws(Stop) -> ArraySlice<UInt8> {
        guard body.count >= count else { throw stop }
        defer { body = body.dropFirst(count) }
        return body.prefix(count)
    }

    private func number(
        _ body: inout ArraySlice<UInt8>, _ size: Int, else stop: Stop = .violation
    ) throws(Stop) -> Int {
        try bytes(&body, size, else: stop).reduce(0) { $0 << 8 | Int($1) }
    }

    private func variable(_ body: inout ArraySlice<UInt8>, else stop: Stop = .violation) throws(Stop) -> Int {
        var (value, factor) = (0, 1)
        for place in 1...4 {
            let byte = try byte(&body, else: stop)
            value += Int(byte % 128) * factor
            factor *= 128
            // In as few bytes as it takes.
            if byte == 0, place > 1 { throw .violation }
            if byte < 128 { return value }
        }
        throw .violation
    }
}
