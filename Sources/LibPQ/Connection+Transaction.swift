internal import CLibPQ

extension Connection {
    /// Runs `body` between BEGIN and COMMIT.
    ///
    /// When `body` throws, the transaction is rolled back, if the connection still lives, and the error thrown on. An
    /// error of operation `commit` that `endsConnection` leaves open whether the server committed.
    /// - Throws: `usage` inside another transaction; `server` with `failedTransaction` if a statement of `body` failed
    ///   and `body` did not throw: the server then rolls back where it should commit.
    public func transaction<R>(_ body: () throws(PostgresError) -> R) throws(PostgresError) -> R {
        let handle = try open(.begin)
        guard PQtransactionStatus(handle) == PQTRANS_IDLE else {
            throw PostgresError(operation: .begin, kind: .usage, message: "a transaction is under way already")
        }
        _ = try run("BEGIN", .begin)
        do throws(PostgresError) {
            let value = try body()
            // COMMIT of a failed transaction is no error to the server: it answers ROLLBACK.
            guard try run("COMMIT", .commit).tag == "COMMIT" else {
                throw PostgresError(
                    operation: .commit, kind: .server, sqlState: .failedTransaction,
                    message: "the transaction had failed and was rolled back")
            }
            return value
        } catch {
            rollBack()
            throw error
        }
    }

    /// Leaves no transaction behind: either the server rolls back, or the connection ends.
    private func rollBack() {
        guard let handle, PQtransactionStatus(handle) != PQTRANS_IDLE else { return }
        do throws(PostgresError) {
            _ = try run("ROLLBACK", .rollback)
        } catch {
            // The error that led here says more than this one.
            close()
        }
    }
}
