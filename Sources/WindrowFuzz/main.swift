// Runs libFuzzer over the target that WINDROW_FUZZ_TARGET names; the arguments are libFuzzer's. `deploy/fuzz` builds and calls it. The
// target is no argument because libFuzzer starts the program anew for some of its jobs, with its own arguments only.

import FuzzTargets
import Glibc

/// libFuzzer as a library (FuzzerInterface.h of LLVM): a Swift program has a main function of its own.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ argumentCount: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private func say(_ message: String) {
    let line = "windrow-fuzz: \(message)\n"
    write(STDERR_FILENO, line, line.utf8.count)
}

// C functions capture nothing, and this is not written once libFuzzer runs.
nonisolated(unsafe) private var target = FuzzTarget.topic

/// Under the name that libFuzzer looks for: its archive does not link without.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do throws(Violation) {
        try target.run(UnsafeRawBufferPointer(start: bytes, count: count))
    } catch {
        say("\(target.rawValue): \(error)")
        abort()
    }
    return 0
}

guard let name = getenv("WINDROW_FUZZ_TARGET"), let named = FuzzTarget(rawValue: String(cString: name)) else {
    let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
    say("set WINDROW_FUZZ_TARGET to one of \(names)")
    exit(64)
}
target = named

private var argumentCount = CommandLine.argc
private var arguments = CommandLine.unsafeArgv
exit(runDriver(&argumentCount, &arguments) { testOneInput($0, $1) })
