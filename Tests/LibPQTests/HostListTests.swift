import Testing

@testable import LibPQ

@Suite struct HostListTests {
    @Test(
        "hosts, addresses and ports belong together by their places",
        arguments: [
            ("host=a,b,c port=1,2,3", 2, ["host": "c,a,b", "port": "3,1,2"]),
            ("host=a,b port=5", 1, ["host": "b,a"]),
            ("hostaddr=::1,127.0.0.1 host=a,b port=1,", 1, ["hostaddr": "127.0.0.1,::1", "host": "b,a", "port": ",1"]),
            ("postgresql://a:1,b:2/demo", 1, ["host": "b,a", "port": "2,1"]),
            ("host=a port=1", 1, [:]), ("host=a,b", 0, [:]), ("host=a,b", 7, [:]), ("dbname=demo", 0, [:]),
        ])
    func parameters(conninfo: String, place: Int, expected: [String: String]) throws {
        let found = try ConnectionString.hosts(conninfo).parameters(startingWith: place)
        #expect(Dictionary(uniqueKeysWithValues: found) == expected)
    }

    @Test("the host that was reached is found by its name and its port")
    func place() throws {
        let hosts = try ConnectionString.hosts("host=127.0.0.1,127.0.0.1,b port=1,2,2")
        #expect(hosts.place(host: "127.0.0.1", port: "2") == 1)
        #expect(hosts.place(host: "b", port: "2") == 2)
        #expect(hosts.place(host: "c", port: "2") == 0)
        #expect(Connection.hostCount(of: "host=a,b") == 2)
        #expect(Connection.hostCount(of: "dbname=demo") == 1)
    }
}
