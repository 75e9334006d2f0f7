/// The built-in types that this module reads and writes. The raw value is the type's OID, fixed in PostgreSQL's
/// `pg_type.dat`.
enum PostgresType: UInt32 {
    case boolean = 16
    case name = 19
    case int8 = 20
    case int2 = 21
    case int4 = 23
    case text = 25
    case json = 114
    case float8 = 701
    case unknown = 705
    case bpchar = 1042
    case varchar = 1043
    case timestamptz = 1184
    case uuid = 2950

    /// The OID of the array type over this element type; nil where this module sends no arrays of it.
    var array: UInt32? {
        switch self {
        case .boolean: 1000
        case .int4: 1007
        case .text: 1009
        case .int8: 1016
        case .float8: 1022
        case .timestamptz: 1185
        case .uuid: 2951
        case .int2, .name, .json, .unknown, .bpchar, .varchar: nil
        }
    }
}
