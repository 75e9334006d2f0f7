/// What one payload says about one series, read and checked as far as it can be without knowing the subscription's mode and bounds.
///
/// The points belong to the parser and are valid until it reads the next payload.
struct Payload {
    /// In the order of the payload.
    var points: UnsafeBufferPointer<Point>
    /// From the earliest to the latest point; nil when there is none.
    var span: TimeRange?
    /// The time of receipt, if some point has no `ts` and got it.
    var stampedAt: Timestamp?
    /// Stated by the envelope.
    var overwrite: Overwrite?
    /// Stated by the envelope.
    var window: TimeRange?
    var place: PointPlace
}

/// Where the points stand in a document; becomes a JSON pointer only when there is something to point at.
enum PointPlace {
    /// The document is the point's value.
    case number
    /// The document is the point.
    case object
    /// The document is an array of points.
    case items
    /// The points are the `data` of the document, or of one of its items.
    case data(element: Int?)

    /// The pointer to a point, or to one of its fields.
    func pointer(toPoint index: Int, field: String? = nil) -> String {
        let field = field.map { "/\($0)" } ?? ""
        return switch self {
        case .number: ""
        case .object: field
        case .items: "/\(index)\(field)"
        case .data: "\(elementPointer)/data/\(index)\(field)"
        }
    }

    /// The pointer to the array of points.
    var listPointer: String {
        switch self {
        case .number, .object, .items: ""
        case .data: "\(elementPointer)/data"
        }
    }

    /// The pointer to a field of the object that has the points.
    func pointer(toField field: String) -> String {
        "\(elementPointer)/\(field)"
    }

    /// The pointer to the object that has the points.
    var elementPointer: String {
        switch self {
        case .data(let element?): "/\(element)"
        default: ""
        }
    }
}
