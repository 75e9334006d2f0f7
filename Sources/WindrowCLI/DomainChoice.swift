import ArgumentParser
import Foundation
import Windrow

extension Configuration {
    /// The domain of that name, or all; says that there is none, and ends the command.
    func domains(named name: String?, in file: String) throws -> [Domain] {
        guard let name else { return domains }
        try require(domain: name, in: file)
        return domains.filter { $0.name == name }
    }

    /// The domain of that name, or the only one.
    func domain(named name: String?, in file: String) throws -> Domain {
        let found = try domains(named: name, in: file)
        guard found.count == 1 else {
            printError("\(file) has several domains: name one with --domain, of \(domainNames)")
            throw ExitCode(EX_USAGE)
        }
        return found[0]
    }

    var domainNames: String { domains.map(\.name).joined(separator: " ") }
}
