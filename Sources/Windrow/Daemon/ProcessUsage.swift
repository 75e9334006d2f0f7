import Glibc

/// What the process takes of the machine, as proc(5) tells it; nil where it does not.
struct ProcessUsage {
    /// Since 1970.
    var startTime: Double?
    /// In user and system mode.
    var cpuSeconds: Double?
    var residentBytes: Double?
    var virtualBytes: Double?
    var threads: Double?
    var openDescriptors: Double?
    /// nil also when there is no limit.
    var maxDescriptors: Double?

    /// Of this process, now.
    static var current: ProcessUsage {
        var usage = ProcessUsage(stat: read("/proc/self/stat"), bootTime: bootTime)
        usage.openDescriptors = descriptors
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max {
            usage.maxDescriptors = Double(limit.rlim_cur)
        }
        return usage
    }

    /// - Parameters:
    ///   - stat: the text of /proc/self/stat.
    ///   - bootTime: of the machine, in seconds since 1970.
    init(
        stat: String, bootTime: Double?, ticks: Double = Double(sysconf(Int32(_SC_CLK_TCK))),
        pageSize: Double = Double(sysconf(Int32(_SC_PAGESIZE)))
    ) {
        // Behind the name, which may hold anything, the third field is the first.
        guard let nameEnd = stat.lastIndex(of: ")") else { return }
        let fields = stat[nameEnd...].dropFirst().split(separator: " ")
        func field(_ number: Int) -> Double? { fields.count > number - 3 ? Double(fields[number - 3]) : nil }
        if let user = field(14), let system = field(15) { cpuSeconds = (user + system) / ticks }
        threads = field(20)
        if let bootTime, let start = field(22) { startTime = bootTime + start / ticks }
        virtualBytes = field(23)
        residentBytes = field(24).map { $0 * pageSize }
    }

    private static let bootTime: Double? = read("/proc/stat").split(separator: "\n").lazy
        .first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }

    private static var descriptors: Double? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Without `.`, `..` and the folder's own.
        return Double(count - 3)
    }

    /// Empty when it cannot be read.
    private static func read(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
