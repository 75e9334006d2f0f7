import Foundation
import Synchronization
import Testing

@testable import Windrow

@Suite struct BackoffTests {
    @Test("pauses double up to the cap, lie between half and all of their step, and begin anew after a reset")
    func doubles() {
        for _ in 0..<100 {
            var backoff = Backoff(first: .milliseconds(100), cap: .seconds(1))
            for step in [100, 200, 400, 800, 1000, 1000] {
                let pause = backoff.next()
                #expect(pause >= .milliseconds(step) / 2 && pause <= .milliseconds(step))
            }
            backoff.reset()
            #expect(backoff.next() <= .milliseconds(100))
        }
    }

    @Test("two daemons that lose the same server do not come back in step")
    func jitter() {
        let pauses = (0..<20).map { _ in
            var backoff = Backoff(first: .seconds(1), cap: .seconds(1))
            return backoff.next()
        }
        #expect(Set(pauses).count > 1)
    }
}

@Suite struct MonitorTests {
    @Test("a waiter is woken by a change, and gives up when its time is over")
    func waits() async {
        let monitor = Monitor(0)
        let waiter = Task.detached { monitor.wait(timeout: .seconds(30)) { $0 == 3 ? "three" : nil } }
        for _ in 0..<3 { monitor.withLock { $0 += 1 } }
        #expect(await waiter.value == "three")
        let start = ContinuousClock.now
        #expect(monitor.wait(timeout: .milliseconds(50)) { $0 == 4 ? true : nil } == nil)
        #expect(ContinuousClock.now - start >= .milliseconds(50))
    }

    @Test(
        "tasks that wait suspended are woken by a change, and do not wait for what is so already",
        .timeLimit(.minutes(1)))
    func suspends() async {
        let monitor = Monitor(0)
        await monitor.change { $0 == 0 }
        await withTaskGroup { group in
            for _ in 0..<100 {
                group.addTask { while monitor.withLock({ $0 }) < 1000 { await monitor.change { $0 >= 1000 } } }
            }
            for _ in 0..<1000 { monitor.withLock { $0 += 1 } }
            await group.waitForAll()
        }
    }
}

@Suite struct MemoryBudgetTests {
    @Test("a domain borrows no more than it leaves, and nobody can take what is another's own")
    func borrowing() {
        let shares = MemoryShares(of: 4000, domains: 10)
        #expect(shares.own == 200 && shares.shared == 2000)
        #expect(MemoryShares(of: 4000, domains: 1).own == 4000)
        let shared = SharedMemory(limit: shares.shared)
        let budgets = (0..<10).map { _ in MemoryBudget(limit: shares.own, borrowingFrom: shared) }
        /// Takes as much as there is.
        func fill(_ budget: MemoryBudget) -> Int {
            while budget.acquire(10, timeout: .zero) {}
            return budget.used
        }
        #expect(budgets[0].limit == 1200)
        #expect(fill(budgets[0]) == 1200)
        #expect(fill(budgets[1]) == 700)
        let used = budgets.reduce(0) { $0 + fill($1) }
        #expect(used <= 4000)
        #expect(budgets.allSatisfy { $0.used >= 200 })
        // What is borrowed goes back first.
        budgets[0].release(1000)
        #expect(shared.lent < 1000)
        for budget in budgets { budget.release(budget.used) }
        #expect(shared.lent == 0)
    }

    @Test("what does not fit waits for room, one piece larger than all is let in alone, and stopping ends the waiting")
    func bounds() async {
        let budget = MemoryBudget(limit: 100)
        #expect(budget.acquire(60))
        #expect(!budget.acquire(60, timeout: .zero))
        let waiter = Task.detached { budget.acquire(60) }
        budget.release(60)
        #expect(await waiter.value)
        #expect(budget.used == 60)
        budget.release(60)
        #expect(budget.acquire(1000))
        let stopped = Task.detached { budget.acquire(1) }
        budget.stop()
        #expect(await stopped.value == false)
        budget.release(1000)
        #expect(budget.acquire(1), "what fits is let in to the end")
    }
}

@Suite struct ThreadExecutorTests {
    private actor Worker {
        nonisolated let executor = ThreadExecutor(name: "a name that is long")
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
        private var count = 0

        func work() -> Int {
            count += 1
            return count
        }
        func name() throws -> String { try String(contentsOfThreadFile: "comm") }
    }

    @Test("an actor runs on a thread of its own, one call at a time")
    func runs() async throws {
        let worker = Worker()
        let counts = await withTaskGroup { group in
            for _ in 0..<100 { group.addTask { await worker.work() } }
            return await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(counts == Set(1...100))
        #expect(try await worker.name() == "a name that is ")
    }

    private actor Sleeper {
        nonisolated let executor = ThreadExecutor(name: "sleeper")
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

        func sleep(on monitor: Monitor<Bool>, counting begun: Monitor<Int>) async -> Bool {
            begun.withLock { $0 += 1 }
            await monitor.change { $0 }
            return monitor.withLock { $0 }
        }
    }

    private func sleepers() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count {
            (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)) == "sleeper\n"
        }
    }

    @Test("an actor that waits suspended gives its thread back, and has one when it goes on", .timeLimit(.minutes(1)))
    func givesBack() async throws {
        let (monitor, begun) = (Monitor(false), Monitor(0))
        let sleeping = (0..<50).map { _ in
            let sleeper = Sleeper()
            return Task { await sleeper.sleep(on: monitor, counting: begun) }
        }
        while begun.withLock({ $0 }) < 50 { try await Task.sleep(for: .milliseconds(5)) }
        while try sleepers() > 0 { try await Task.sleep(for: .milliseconds(20)) }
        monitor.withLock { $0 = true }
        for task in sleeping { #expect(await task.value) }
    }
}

extension String {
    fileprivate init(contentsOfThreadFile name: String) throws {
        let text = try String(contentsOfFile: "/proc/thread-self/\(name)", encoding: .utf8)
        self = text.hasSuffix("\n") ? String(text.dropLast()) : text
    }
}
