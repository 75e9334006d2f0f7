#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension Configuration {
    /// Reads and checks a configuration file and the files that it names.
    ///
    /// - Parameters:
    ///   - path: The file, relative to the working directory unless absolute. Errors name it as it is given here.
    ///   - environment: For `${NAME}` and `$CREDENTIALS_DIRECTORY`.
    ///   - withIntake: False for who works on databases and journals alone: `http` and `mqtt` are passed over, with the files and
    ///     variables that they name, which the daemon's unit may have to itself.
    /// - Throws: All the problems that were found.
    public static func load(
        file path: String, environment: [String: String], withIntake: Bool = true
    ) throws(ConfigurationError) -> Configuration {
        func refusal(_ message: String, line: Int? = nil) -> ConfigurationError {
            ConfigurationError(problems: [ConfigurationError.Problem(file: path, line: line, message: message)])
        }
        let content: [UInt8]
        do {
            content = try readFile(path)
        } catch {
            throw refusal("cannot be read: \(error.reason)")
        }
        guard let yaml = String(validating: content, as: UTF8.self) else {
            throw refusal("is not UTF-8 text", line: firstLineThatIsNotUTF8(content))
        }
        // The folder is made absolute now: the working directory may change before a path is used.
        let folder = ConfigurationFiles.folder(of: path)
        let absolute = folder.hasPrefix("/") ? folder : ConfigurationFiles.join(workingDirectory(), folder)
        return try parse(
            yaml, file: path, folder: absolute, environment: environment, withIntake: withIntake, readFile: readFile)
    }

    /// Checks a configuration's text.
    ///
    /// - Parameters:
    ///   - file: Names the text in errors.
    ///   - folder: What relative paths are relative to; the folder part of `file` unless given.
    ///   - environment: For `${NAME}` and `$CREDENTIALS_DIRECTORY`.
    ///   - withIntake: As of `load`.
    ///   - readFile: Reads the files that the text names.
    /// - Throws: All the problems that were found.
    public static func parse(
        _ yaml: String, file: String, folder: String? = nil, environment: [String: String], withIntake: Bool = true,
        readFile: @escaping FileReader
    ) throws(ConfigurationError) -> Configuration {
        let files = ConfigurationFiles(
            folder: folder ?? ConfigurationFiles.folder(of: file), environment: environment, read: readFile)
        let reader = ConfigurationReader(file: file, environment: environment, files: files)
        var schema = ConfigurationSchema(reader: reader, withIntake: withIntake)
        let configuration = ConfigurationDocument.root(of: yaml, reader: reader).map { schema.configuration($0) }
        try reader.finish()
        guard let configuration else { preconditionFailure("a document without a root was not reported") }
        return configuration
    }

    private static func firstLineThatIsNotUTF8(_ content: [UInt8]) -> Int? {
        let lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return lines.firstIndex { String(validating: $0, as: UTF8.self) == nil }.map { $0 + 1 }
    }

    /// "/" in the unlikely case that it is gone or out of reach.
    private static func workingDirectory() -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX) + 1) { buffer in
            guard let path = getcwd(buffer.baseAddress, buffer.count) else { return "/" }
            return String(cString: path)
        }
    }
}
