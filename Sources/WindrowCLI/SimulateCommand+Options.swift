import ArgumentParser
import Foundation
import MQTT
import Simulation
import Windrow

/// How to reach a broker, or Windrow.
struct SimulatedConnectionOptions: ParsableArguments {
    @Option(help: "Topic of the readings.")
    var topic = "nodes/{node}/{tag}"

    @Option(help: "For the broker.")
    var username: String?

    @Option(help: ArgumentHelp("For the broker, too.", valueName: "file"))
    var passwordFile: String?

    @Option(
        help: ArgumentHelp("The domain's key for HTTP; else the environment variable WINDROW_KEY.", valueName: "file"))
    var apiKeyFile: String?

    @Option(
        help: ArgumentHelp(
            "The authorities to trust, for mqtts and https; else those of the system.", valueName: "file"))
    var caFile: String?

    @Option(help: ArgumentHelp("The gateways' certificate, with its chain.", valueName: "file"))
    var certFile: String?

    @Option(help: ArgumentHelp("The certificate's key.", valueName: "file"))
    var keyFile: String?

    @Option(help: "MQTT messages of a gateway that may be under way, if the broker allows as many.")
    var inFlight: UInt16 = 200

    @Option(help: "Threads that run the gateways; half as many as the machine has if not given.")
    var threads: Int?

    private static let call = "/api/v1/timeseries"

    func target(_ text: String) throws -> Settings.Target {
        guard (certFile == nil) == (keyFile == nil) else {
            throw ValidationError("--cert-file and --key-file go together")
        }
        if text.hasPrefix("mqtt://") || text.hasPrefix("mqtts://") { return .broker(try broker(text)) }
        guard let address = URLComponents(string: text), let scheme = address.scheme,
            ["http", "https"].contains(scheme),
            let host = address.host, !host.isEmpty, address.query == nil, (1...65_535).contains(address.port ?? 80)
        else {
            throw ValidationError(
                "\(text): expected mqtt://HOST[:PORT], mqtts://HOST[:PORT], http://HOST[:PORT]/DOMAIN or https://HOST[:PORT]/DOMAIN"
            )
        }
        var path = address.percentEncodedPath
        while path.hasSuffix("/") { path.removeLast() }
        guard !path.isEmpty else { throw ValidationError("\(text): the domain is missing, as in \(text)/demo") }
        if !path.hasSuffix(Self.call) { path += Self.call }
        let isSecure = scheme == "https"
        return .server(
            RequestTarget(
                // Of an IPv6 address, without its brackets.
                host: host.trimmingCharacters(in: ["[", "]"]), port: address.port ?? (isSecure ? 443 : 80), path: path,
                secret: try apiKeyFile.map(secret) ?? ProcessInfo.processInfo.environment["WINDROW_KEY"],
                tls: isSecure ? .init(caFile: caFile, certificateFile: certFile, keyFile: keyFile) : nil))
    }

    private func broker(_ text: String) throws -> Client.Options {
        guard let address = Configuration.BrokerAddress(parsing: text) else {
            throw ValidationError("\(text): expected \(Configuration.BrokerAddress.form)")
        }
        var options = Client.Options(
            clientID: "windrow-simulate", host: address.host, port: address.port, username: username,
            password: try passwordFile.map(secret))
        if address.tls { options.tls = Client.TLS(caFile: caFile, certificateFile: certFile, keyFile: keyFile) }
        return options
    }

    /// A file's text, without the line's end.
    private func secret(_ file: String) throws -> String {
        do {
            let text = String(decoding: try Configuration.readFile(file), as: UTF8.self)
            return text.trimmingCharacters(in: .newlines)
        } catch {
            printError("\(error)")
            throw ExitCode.configuration
        }
    }
}

/// Where points are stored, and what is to be done with them there.
struct StorageOptions: ParsableArguments {
    @Flag(
        help:
            "Compare what was acknowledged with what is stored. Over HTTP it is read back by GET, unless a database is given."
    )
    var verify = false

    @Flag(
        help:
            "Send nothing, but compare what an earlier run with the same options, --seed, --start and --points had acknowledged."
    )
    var verifyOnly = false

    @Option(
        help: ArgumentHelp("How long to wait for points that are on their way, if none comes.", valueName: "duration"))
    var verifyTimeout = Span(30, "30s")

    @Option(
        name: .shortAndLong, help: ArgumentHelp("Windrow's configuration, which tells the database.", valueName: "file")
    )
    var config: String?

    @Option(help: "The domain, if the configuration has several.")
    var domain: String?

    @Option(help: ArgumentHelp("The database, in the place of --config.", valueName: "connection string"))
    var postgres: String?

    @Option(help: "The schema in it.")
    var schema = "windrow"

    @Flag(help: "Afterwards delete all points of the simulated nodes, also those of earlier runs.")
    var clean = false

    @Flag(help: "Don't ask before deleting.")
    var yes = false

    func database() throws -> DatabaseTarget? {
        if let postgres {
            guard config == nil else {
                throw ValidationError("--config and --postgres name the same thing: give one of them")
            }
            return DatabaseTarget(connectionString: postgres, schema: schema)
        }
        guard let config else { return nil }
        var options = ConfigurationOptions()
        options.config = config
        let domains = try options.load().domains
        let names = domains.map(\.name).joined(separator: " ")
        if domain == nil, domains.count > 1 { throw ValidationError("--domain must say which one, of \(names)") }
        guard let found = domains.first(where: { $0.name == domain ?? $0.name }) else {
            throw ValidationError("there is no domain \(domain ?? "") in \(config); it has \(names)")
        }
        return DatabaseTarget(connectionString: found.postgres.reveal, schema: found.schema)
    }

    /// Asks before anything is begun that will delete.
    func confirm(_ settings: Settings) throws {
        guard clean, !yes else { return }
        guard isatty(STDIN_FILENO) == 1 else {
            throw ValidationError("--clean deletes: say --yes, as there is no terminal to ask on")
        }
        let nodes = settings.fleet.nodes
        FileHandle.standardError.write(
            Data("Delete all points of the nodes \(nodes.lowerBound) to \(nodes.upperBound) afterwards? [y/N] ".utf8))
        guard readLine()?.lowercased().hasPrefix("y") == true else { throw ExitCode.failure }
    }
}
