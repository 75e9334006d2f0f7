import Glibc

/// Whose name a request may give for this server. A web page elsewhere can make a browser ask us under the page's own name, by a DNS
/// answer that points here (DNS rebinding), and would read our answers as its own; under these names it cannot.
struct HostGuard: Sendable {
    private let names: Set<String>

    /// - Parameters:
    ///   - configured: the host that `http.admin` names.
    ///   - machine: this machine's name.
    init(configured: String, machine: String? = HostGuard.machine) {
        var names: Set = ["localhost", configured.lowercased()]
        if let machine = machine?.lowercased(), !machine.isEmpty {
            names.insert(machine)
            names.insert(String(machine.prefix { $0 != "." }))
        }
        self.names = names
    }

    /// - Parameter authority: the `Host` field, with or without a port.
    func admits(_ authority: String?) -> Bool {
        // HTTP/1.0, which no browser speaks.
        guard let authority else { return true }
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { return false }
            var address = in6_addr()
            return inet_pton(
                AF_INET6, String(authority[authority.index(after: authority.startIndex)..<close]), &address) == 1
        }
        let host = authority.prefix { $0 != ":" }.lowercased()
        var address = in_addr()
        return names.contains(host) || inet_pton(AF_INET, host, &address) == 1
    }

    private static var machine: String? {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return nil }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
