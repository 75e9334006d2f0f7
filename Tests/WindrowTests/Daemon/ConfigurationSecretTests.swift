import Testing

@testable import Windrow

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A broker with one more key, on line 8.
private func withBrokerKey(_ line: String, scheme: String = "mqtt") -> String {
    minimalConfiguration.replacing("mqtt://", with: "\(scheme)://") + "\n        \(line)\n"
}

@Suite("${NAME} in a configuration")
struct ConfigurationEnvironmentTests {
    @Test(
        "takes the environment's value, as text",
        arguments: [
            ("${A}", "va"), ("x${A}y${B2}z", "xvay${A}z"), ("${Q}", "a: [b] # 'c'"), ("$${A}", "${A}"),
            ("$$${A}", "$${A}"),
            ("$A $ $$ {A}", "$A $ $$ {A}"), ("${_}", ""), ("é${A}é", "évaé"),
        ])
    func substitution(written: String, expected: String) throws {
        let environment = ["A": "va", "B2": "${A}", "Q": "a: [b] # 'c'", "_": ""]
        let yaml = minimalConfiguration.replacing("dbname=demo", with: "p\(written)")
        #expect(try parseConfiguration(yaml, environment: environment).domains[0].postgres.reveal == "p" + expected)
    }

    @Test("may stand for a number, a duration, a size or a name")
    func everyScalar() throws {
        let yaml = minimalConfiguration.replacing(
            "    mqtt:", with: "    lanes: ${N}\n    flush: {interval: \"${T}\"}\n    mqtt:")
        let environment = ["N": "4", "T": "2m", "M": "1GiB"]
        let configuration = try parseConfiguration("limits: {memory: \"${M}\"}\n" + yaml, environment: environment)
        #expect(configuration.domains[0].lanes == 4)
        #expect(configuration.domains[0].flush.interval == .seconds(120))
        #expect(configuration.limits.memory == 1 << 30)
    }

    @Test(
        "is an error when it is not set or not a name",
        arguments: [
            ("${NOPE}", "the environment variable NOPE is not set"),
            (
                "${",
                "`${` must be followed by the name of an environment variable and `}`; write `$${` for a literal `${`"
            ),
            (
                "${A",
                "`${` must be followed by the name of an environment variable and `}`; write `$${` for a literal `${`"
            ),
            (
                "${}",
                "`${` must be followed by the name of an environment variable and `}`; write `$${` for a literal `${`"
            ),
            (
                "${1A}",
                "`${` must be followed by the name of an environment variable and `}`; write `$${` for a literal `${`"
            ),
            (
                "${A:-b}",
                "`${` must be followed by the name of an environment variable and `}`; write `$${` for a literal `${`"
            ),
        ])
    func errors(written: String, message: String) {
        let yaml = minimalConfiguration.replacing("dbname=demo", with: "p\(written)")
        let error = #expect(throws: ConfigurationError.self) { try parseConfiguration(yaml, environment: ["A": "a"]) }
        #expect(error?.description == "windrow.yaml:3: domains.demo.postgres: " + message)
    }

    @Test("is shown by its name, never its value, when the value is wrong")
    func errorsHideTheValue() {
        let yaml = minimalConfiguration.replacing("    mqtt:", with: "    lanes: ${PASSWORD}\n    mqtt:")
        let error = #expect(throws: ConfigurationError.self) {
            try parseConfiguration(yaml, environment: ["PASSWORD": "hush"])
        }
        #expect(
            error?.description
                == "windrow.yaml:4: domains.demo.lanes: expected a whole number from 1 to 64, found the value of \"${PASSWORD}\""
        )
    }
}

@Suite("A secret")
struct SecretTests {
    @Test("is shown by no way of printing, alone or inside a configuration")
    func redaction() throws {
        let secret = Secret("hush")
        #expect(secret.reveal == "hush")
        let yaml = withBrokerKey("password: hush").replacing("dbname=demo", with: "password=hush")
        let configuration = try parseConfiguration(yaml)
        #expect(configuration.domains[0].postgres.reveal == "password=hush")
        #expect(configuration.domains[0].brokers[0].password?.reveal == "hush")

        func printed(_ value: some Any) -> [String] {
            var dumped = ""
            dump(value, to: &dumped)
            return [
                "\(value)", String(describing: value), String(reflecting: value), dumped,
                "\(Mirror(reflecting: value).children.map { $0 })",
            ]
        }
        for text in printed(secret) + printed(configuration) + printed([secret]) + printed(Optional(secret)) {
            #expect(!text.contains("hush"))
        }
        #expect(printed(secret).prefix(4).allSatisfy { $0.contains("<redacted>") })
        #expect(printed(configuration).prefix(4).allSatisfy { $0.contains("<redacted>") })
    }

    @Test(
        "from a file has no line end",
        arguments: [
            ("hush\n", "hush"), ("hush", "hush"), ("hush\r\n", "hush"), ("hush\n\n", "hush"), (" hush \n", " hush "),
            ("a\nb\n", "a\nb"),
        ])
    func lineEnds(content: String, expected: String) throws {
        let configuration = try parseConfiguration(withBrokerKey("password_file: /run/p"), files: ["/run/p": content])
        #expect(configuration.domains[0].brokers[0].password?.reveal == expected)
    }

    @Test(
        "file that is of no use is an error with its path",
        arguments: [
            ("p", nil, "cannot read /etc/windrow/p: No such file or directory"),
            ("/run/p", nil, "cannot read /run/p: No such file or directory"),
            ("p", "", "/etc/windrow/p is empty"),
            ("p", "\n\r\n", "/etc/windrow/p is empty"),
            ("p", "a\0b", "/etc/windrow/p is not UTF-8 text"),
            ("p", String(repeating: "x", count: 65_536), "/etc/windrow/p is longer than 65535 bytes"),
            ("''", nil, "expected the path of a file, found an empty text"),
        ] as [(String, String?, String)])
    func badFiles(path: String, content: String?, message: String) {
        let files = content.map { ["/etc/windrow/\(path)": $0] } ?? [:]
        let error = #expect(throws: ConfigurationError.self) {
            try parseConfiguration(withBrokerKey("password_file: \(path)"), files: files)
        }
        #expect(error?.description == "windrow.yaml:8: domains.demo.mqtt[0].password_file: " + message)
    }

    @Test("file is looked for among systemd's credentials, then beside the configuration")
    func credentials() throws {
        let environment = ["CREDENTIALS_DIRECTORY": "/run/credentials/w"]
        let yaml = withBrokerKey("password_file: p")
        func password(_ files: [String: String]) throws -> String? {
            try parseConfiguration(yaml, environment: environment, files: files).domains[0].brokers[0].password?.reveal
        }
        #expect(try password(["/run/credentials/w/p": "one", "/etc/windrow/p": "two"]) == "one")
        #expect(try password(["/etc/windrow/p": "two"]) == "two")
        let error = #expect(throws: ConfigurationError.self) { try password([:]) }
        #expect(
            error?.description
                == "windrow.yaml:8: domains.demo.mqtt[0].password_file: cannot read /etc/windrow/p: No such file or directory; "
                + "$CREDENTIALS_DIRECTORY (/run/credentials/w) was looked into first")
        let absolute = #expect(throws: ConfigurationError.self) {
            try parseConfiguration(withBrokerKey("password_file: /p"), environment: environment)
        }
        #expect(absolute?.description.hasSuffix("password_file: cannot read /p: No such file or directory") == true)
    }

    @Test("file that may not be read is not looked for elsewhere")
    func forbiddenCredential() {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.parse(
                withBrokerKey("password_file: p"), file: "/c/windrow.yaml",
                environment: ["CREDENTIALS_DIRECTORY": "/run/c"]
            ) { path throws(Configuration.UnreadableFile) in
                if path == "/run/c/p" { throw Configuration.UnreadableFile(path: path, code: EACCES) }
                return Array("two".utf8)
            }
        }
        #expect(error?.description.hasSuffix("password_file: cannot read /run/c/p: Permission denied") == true)
    }
}

@Suite("A configuration file")
struct ConfigurationLoadingTests {
    /// A new folder, gone when the body is done.
    private func withFolder(_ body: (_ folder: String) throws -> Void) throws {
        var template = Array("/tmp/windrow-configuration-XXXXXX".utf8CString)
        let folder = String(cString: try #require(mkdtemp(&template)))
        defer {
            for name in ["windrow.yaml", "broker.password", "ca.pem"] { unlink("\(folder)/\(name)") }
            rmdir(folder)
        }
        try body(folder)
    }

    private func put(_ content: [UInt8], at path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        try #require(write(descriptor, content, content.count) == content.count)
    }

    private func put(_ content: String, at path: String) throws {
        try put(Array(content.utf8), at: path)
    }

    @Test("is loaded with the files beside it")
    func load() throws {
        try withFolder { folder in
            let yaml =
                withBrokerKey("password_file: broker.password", scheme: "mqtts") + "        tls: {ca_file: ca.pem}\n"
            try put(yaml, at: "\(folder)/windrow.yaml")
            try put("hush\n", at: "\(folder)/broker.password")
            try put("PEM", at: "\(folder)/ca.pem")
            let broker = try Configuration.load(file: "\(folder)/windrow.yaml", environment: [:]).domains[0].brokers[0]
            #expect(broker.password?.reveal == "hush")
            #expect(broker.tls.caFile == "\(folder)/ca.pem")
        }
    }

    @Test("named by a relative path still gives absolute paths")
    func relative() throws {
        try withFolder { folder in
            try put("journal: {directory: data}\n" + minimalConfiguration, at: "\(folder)/windrow.yaml")
            // From wherever the tests run up to the root and down again: tests share one working directory.
            let up = String(repeating: "../", count: 40)
            let directory = try Configuration.load(file: "\(up)\(folder.dropFirst())/windrow.yaml", environment: [:])
                .journal.directory
            #expect(directory.hasPrefix("/"))
            #expect(directory.hasSuffix("\(folder)/data"))
        }
    }

    @Test("that can't be read is an error that names it")
    func unreadable() throws {
        try withFolder { folder in
            let path = "\(folder)/windrow.yaml"
            func failure(_ path: String) -> String? {
                #expect(throws: ConfigurationError.self) { try Configuration.load(file: path, environment: [:]) }?
                    .description
            }
            #expect(failure(path) == "\(path): cannot be read: No such file or directory")
            #expect(failure(folder) == "\(folder): cannot be read: Is a directory")
            #expect(failure("/dev/zero") == "/dev/zero: cannot be read: File too large")
            #expect(failure("") == ": cannot be read: No such file or directory")
            try put(Array("# ok\n# \u{e9}\n".utf8) + [0x23, 0xe9, 0x0a], at: path)
            #expect(failure(path) == "\(path):3: is not UTF-8 text")
            try put("", at: path)
            #expect(failure(path) == "\(path): is empty; at least the key `domains` is needed")
        }
    }
}
