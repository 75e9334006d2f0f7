import Foundation
import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct KeyTests {
    // sha256 of "demo-secret" and of "other".
    private let text = """
        # comment

        gateway-1 cd577fe2561ebff23505db0bb006300c7cdecbd46bc0e03c449afafaca2c25bf
        \tscript  D9298A10D1B0735837DC4BD85DAC641B0F3CEF27A47E5D53A54F2F3F5B2FCFFA\r

        """

    @Test("a secret has the name of its line, and no other secret has one")
    func names() throws {
        let ring = try KeyRing(parsing: Array(text.utf8), path: "demo.keys")
        #expect(ring.count == 2)
        #expect(ring.name(ofSecret: "demo-secret".utf8) == "gateway-1")
        #expect(ring.name(ofSecret: "other".utf8) == "script")
        for wrong in ["", "demo-secre", "demo-secret ", "Demo-secret", "gateway-1"] {
            #expect(ring.name(ofSecret: wrong.utf8) == nil)
        }
        #expect(KeyRing().name(ofSecret: "".utf8) == nil)
    }

    @Test(
        "a line that is none is told with its number",
        arguments: [
            "name", "name abc", "name \(String(repeating: "g", count: 64))", "a b \(String(repeating: "0", count: 64))",
            "name \(String(repeating: "0", count: 63))", "name \(String(repeating: "0", count: 65))",
        ])
    func malformed(_ line: String) {
        #expect {
            _ = try KeyRing(parsing: Array("# first\n\(line)\n".utf8), path: "demo.keys")
        } throws: { error in
            "\(error)".hasPrefix("demo.keys:2: ")
        }
    }

    @Test("a new key opens, and the file has its hash and not the secret")
    func newKey() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/demo.keys"
        try folder.write("old \(String(repeating: "0", count: 64))", to: "demo.keys")
        let keys = try ["a", "b"].map { try #require(NewKey(name: $0)) }
        for key in keys { _ = try key.append(to: path) }
        let file = try String(contentsOfFile: path, encoding: .utf8)
        let ring = try KeyRing(parsing: Array(file.utf8), path: path)
        #expect(ring.count == 3)
        for key in keys {
            #expect(key.secret.utf8.count == 43)
            #expect(ring.name(ofSecret: key.secret.utf8) == key.name)
            #expect(!file.contains(key.secret))
        }
        #expect(keys[0].secret != keys[1].secret)
    }

    @Test("a keys file is made for its owner alone")
    func mode() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/demo.keys"
        #expect(try #require(NewKey(name: "a")).append(to: path) == 0o600)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test("a key's name is plain", arguments: ["", "a b", "ä", "a\n", String(repeating: "a", count: 64)])
    func badNames(_ name: String) {
        #expect(NewKey(name: name) == nil)
    }

    @Test("the scheme is Key, in any case, with the secret behind spaces")
    func authorization() throws {
        let folder = try TemporaryFolder()
        let keys = Keys(path: try folder.write(text, to: "demo.keys"))
        #expect(keys.name(authorization: "Key demo-secret") == nil)
        #expect(try keys.reload() == 2)
        #expect(keys.name(authorization: "Key demo-secret") == "gateway-1")
        #expect(keys.name(authorization: "key  demo-secret") == "gateway-1")
        for wrong in [
            nil, "", "Key", "Key ", "demo-secret", "Bearer demo-secret", "Key demo-secret x", "Key demo-secret ",
        ] {
            #expect(keys.name(authorization: wrong) == nil)
        }
    }

    @Test("a file that has become unreadable leaves the keys; one that is gone takes them away")
    func reload() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(text, to: "demo.keys")
        let keys = Keys(path: path)
        try keys.reload()
        try folder.write("nonsense", to: "demo.keys")
        #expect(throws: KeyFileError.self) { try keys.reload() }
        #expect(keys.name(authorization: "Key other") == "script")
        try FileManager.default.removeItem(atPath: path)
        #expect(try keys.reload() == 0)
        #expect(keys.name(authorization: "Key other") == nil)
    }
}
