internal import CLibPQ

/// Parameters in the four arrays that `PQsendQueryParams` takes, their values in one piece of memory.
///
/// Source: PostgreSQL's `recv` functions, for arrays `array_recv`: number of dimensions, a flag for NULLs, the
/// element's OID; then, but for an empty array, the size and lower bound; then each element with its length.
struct ParameterEncoding: ~Copyable {
    private var bytes = GrowingBytes(capacity: 256)
    private var types: [Oid] = []
    private var lengths: [Int32] = []
    /// Where each value begins in `bytes`; nil is NULL.
    private var starts: [Int?] = []

    init(_ parameters: [Parameter]) throws(PostgresError) {
        for parameter in parameters {
            let start = bytes.count
            types.append(append(parameter))
            guard let length = Int32(exactly: bytes.count - start) else {
                throw PostgresError(operation: .execute, kind: .usage, message: "a parameter is longer than 2 GiB")
            }
            lengths.append(length)
            starts.append(parameter == .null ? nil : start)
        }
    }

    /// Hands a statement to libpq, which copies SQL and parameters into its own buffer before it returns.
    /// - Returns: whether libpq took it.
    borrowing func send(_ sql: String, on handle: OpaquePointer) -> Bool {
        let base = UnsafePointer(bytes.base.assumingMemoryBound(to: CChar.self))
        let values = starts.map { start in start.map { base + $0 } }
        let binary = [Int32](repeating: 1, count: values.count)
        // A count past Int32 becomes one that libpq refuses, as it does any above 65535.
        return PQsendQueryParams(handle, sql, Int32(clamping: values.count), types, values, lengths, binary, 1) == 1
    }
}

extension ParameterEncoding {
    /// - Returns: the OID of the parameter's type; 0 lets the server decide.
    private mutating func append(_ parameter: Parameter) -> Oid {
        switch parameter {
        case .null: return 0
        case .boolean(let value): return append(value ? 1 as UInt8 : 0, .boolean)
        case .int2(let value): return append(value, .int2)
        case .int4(let value): return append(value, .int4)
        case .int8(let value): return append(value, .int8)
        case .float8(let value): return append(value.bitPattern, .float8)
        case .timestamptz(let value): return append(PostgresEpoch.wireValue(sinceUnixEpoch: value), .timestamptz)
        case .uuid(let value):
            bytes.reserve(16)
            bytes.append(value.high)
            bytes.append(value.low)
            return PostgresType.uuid.rawValue
        case .text(let value):
            bytes.reserve(value.utf8.count)
            bytes.append(value.utf8)
            return PostgresType.text.rawValue
        case .booleanArray(let values): return appendArray(values, .boolean) { $0 ? 1 as UInt8 : 0 }
        case .int4Array(let values): return appendArray(values, .int4) { $0 }
        case .int8Array(let values): return appendArray(values, .int8) { $0 }
        case .float8Array(let values): return appendArray(values, .float8) { $0.bitPattern }
        case .timestamptzArray(let values):
            return appendArray(values, .timestamptz) { PostgresEpoch.wireValue(sinceUnixEpoch: $0) }
        case .uuidArray(let values):
            appendArrayHeader(count: values.count, .uuid)
            bytes.reserve(values.count * 20)
            for value in values {
                bytes.append(16 as Int32)
                bytes.append(value.high)
                bytes.append(value.low)
            }
            return PostgresType.uuid.array ?? 0
        case .textArray(let values):
            appendArrayHeader(count: values.count, .text)
            for value in values {
                bytes.reserve(4 + value.utf8.count)
                // What does not fit makes the whole parameter too long, which init refuses.
                bytes.append(Int32(clamping: value.utf8.count))
                bytes.append(value.utf8)
            }
            return PostgresType.text.array ?? 0
        }
    }

    private mutating func append<Wire: FixedWidthInteger & BitwiseCopyable>(
        _ value: Wire, _ type: PostgresType
    ) -> Oid {
        bytes.reserve(MemoryLayout<Wire>.size)
        bytes.append(value)
        return type.rawValue
    }

    @inline(__always)
    private mutating func appendArray<Element, Wire: FixedWidthInteger & BitwiseCopyable>(
        _ values: [Element], _ type: PostgresType, _ wire: (Element) -> Wire
    ) -> Oid {
        let size = MemoryLayout<Wire>.size
        appendArrayHeader(count: values.count, type)
        bytes.reserve(values.count * (4 + size))
        for value in values {
            bytes.append(Int32(size))
            bytes.append(wire(value))
        }
        return type.array ?? 0
    }

    private mutating func appendArrayHeader(count: Int, _ type: PostgresType) {
        bytes.reserve(20)
        bytes.append((count == 0 ? 0 : 1) as Int32)
        bytes.append(0 as Int32)
        bytes.append(type.rawValue)
        guard count > 0 else { return }
        bytes.append(Int32(clamping: count))
        bytes.append(1 as Int32)
    }
}
