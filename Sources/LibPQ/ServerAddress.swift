internal import CLibPQ

/// What a connection string says about where the server is: two strings with the same answer lead to the same server, or servers.
/// Holds no secret. Empty where the string says nothing about it, or is malformed.
public func serverAddress(of conninfo: String) -> String {
    guard !conninfo.utf8.contains(0), let options = PQconninfoParse(conninfo, nil) else { return "" }
    // Freed here.
    defer { PQconninfoFree(options) }
    var parts: [String] = []
    var option = options
    while let keyword = option.pointee.keyword.map({ String(cString: $0) }) {
        if ["host", "hostaddr", "port", "service"].contains(keyword), let value = option.pointee.val {
            parts.append("\(keyword)=\(String(cString: value))")
        }
        option += 1
    }
    return parts.joined(separator: " ")
}
