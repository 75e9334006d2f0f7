/// The hosts of a connection string: names, addresses and ports, which belong together by their places in the lists (PostgreSQL
/// documentation, 34.1.1.3). A list that the string does not have is empty; a single port is every host's.
struct HostList: Equatable {
    var names: [String] = []
    var addresses: [String] = []
    var ports: [String] = []

    static func entries(_ value: String) -> [String] {
        value.isEmpty ? [] : value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    var count: Int { max(names.count, addresses.count) }

    /// libpq's parameters that have it begin with another host. None where it would begin there anyway.
    func parameters(startingWith place: Int) -> [(String, String)] {
        guard count > 1, (1..<count).contains(place) else { return [] }
        return [("host", names), ("hostaddr", addresses), ("port", ports)].compactMap { keyword, list in
            list.count == count ? (keyword, (list[place...] + list[..<place]).joined(separator: ",")) : nil
        }
    }

    /// Where a host stands; 0 when it is not found.
    /// - Parameters:
    ///   - host: as libpq calls it: by its name, or by its address where it has none.
    ///   - port: as libpq calls it.
    func place(host: String, port: String) -> Int {
        (0..<count).first { place in
            let name = names.indices.contains(place) && !names[place].isEmpty ? names[place] : nil
            let address = addresses.indices.contains(place) ? addresses[place] : nil
            let hasPort = ports.count != count || ports[place].isEmpty || ports[place] == port
            return hasPort && host == name ?? address
        } ?? 0
    }
}
