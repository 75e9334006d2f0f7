/// Certificates of an authority that was made up for one test.
struct Certificates {
    let folder: Folder

    init() throws {
        folder = try Folder()
        for authority in ["ca", "other-ca"] {
            try openssl("req", "-x509", "-subj", "/CN=\(authority)", output: authority)
        }
        try issue("server", to: "DNS:localhost,IP:127.0.0.1,IP:::1")
        try issue("elsewhere", to: "DNS:elsewhere.example")
        try issue("client", to: "DNS:client")
        try Command(
            "openssl", "pkey", "-in", file("client.key"), "-aes128", "-passout", "pass:secret", "-out",
            file("locked.key")
        ).run()
        // A broker that gave up root's rights must read them.
        try Command("sh", "-c", "chmod 0644 '\(folder.path)'/*").run()
    }

    func file(_ name: String) -> String { folder.path + "/" + name }

    /// Settings of a broker's TLS listener.
    func settings(_ server: String = "server") -> [String] {
        ["cafile \(file("ca.crt"))", "certfile \(file("\(server).crt"))", "keyfile \(file("\(server).key"))"]
    }

    /// A certificate for a broker on this machine that is valid for two days from some days before now, or after.
    func issueServer(_ name: String, daysFromNow days: String) throws {
        try issue(name, to: "DNS:localhost,IP:127.0.0.1,IP:::1", by: "faketime", "\(days) days", "openssl")
        try Command("chmod", "0644", file("\(name).key"), file("\(name).crt")).run()
    }

    private func issue(_ name: String, to subject: String, by program: String...) throws {
        try openssl(
            by: program, "req", "-x509", "-CA", file("ca.crt"), "-CAkey", file("ca.key"), "-subj", "/CN=\(name)",
            "-addext",
            "subjectAltName=\(subject)", "-addext", "basicConstraints=critical,CA:FALSE", output: name)
    }

    private func openssl(by program: [String] = [], _ arguments: String..., output: String) throws {
        var command = Command()
        command.arguments = program.isEmpty ? ["openssl"] : program
        command.arguments += arguments
        command.arguments += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        command.arguments += ["-keyout", file("\(output).key"), "-out", file("\(output).crt")]
        try command.run()
    }
}
