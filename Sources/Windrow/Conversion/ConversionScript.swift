import LibPQ

/// The SQL of a conversion.
struct ConversionScript {
    static let next = "point_next"
    static let old = "point_old"
    /// The table that keeps the course.
    static let course = "conversion"

    private let schema: Schema
    private let engine: PointEngine
    private let interval: CalendarInterval?
    /// The schema of pg_partman, quoted; nil where it is not.
    private let partman: String?

    /// - Parameter interval: of a partition; only `begin` needs it.
    init(_ schema: Schema, to engine: PointEngine, interval: CalendarInterval? = nil, partman: String? = nil) {
        self.schema = schema
        self.engine = engine
        self.interval = interval
        self.partman = partman
    }

    private var point: String { schema.qualified("point") }
    private var next: String { schema.qualified(Self.next) }
    private var old: String { schema.qualified(Self.old) }
    private var course: String { schema.qualified(Self.course) }
    private var function: String { "\(schema.qualified("mirror_point"))()" }
    private static let triggers = ["insert", "update", "delete", "truncate"].map { "mirror_point_\($0)" }

    /// Text for SQL.
    private func literal(_ text: String) -> String {
        "'\(text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''"))'"
    }

    // MARK: Beginning

    /// - Parameters:
    ///   - table: the SQL that makes `point_next`.
    ///   - expected: rows that there may be.
    func begin(_ table: String, expected: Int64) -> String {
        """
        -- What the conversion counts on must outlast a crash.
        SET LOCAL synchronous_commit = on;
        \(table);
        -- How far the copy has come; gone with the conversion.
        CREATE TABLE \(course) (
            single boolean PRIMARY KEY DEFAULT true CHECK (single),
            engine text NOT NULL,
            expected bigint NOT NULL,
            series_id integer,
            ts timestamptz,
            copied bigint NOT NULL DEFAULT 0,
            is_copied boolean NOT NULL DEFAULT false
        );
        INSERT INTO \(course) (engine, expected) VALUES (\(literal(engine.rawValue)), \(expected));
        \(mirrorFunction)
        REVOKE ALL ON FUNCTION \(function) FROM PUBLIC;\(keepAll)
        """
    }

    /// What the retention drops in one table only would make the two differ.
    private var keepAll: String {
        guard let partman else { return "" }
        return "\nUPDATE \(partman).part_config SET retention = NULL WHERE parent_table = '\(schema.name).point';"
    }

    /// Runs as the tables' owner: others who may write to `point` need no right to `point_next`.
    private var mirrorFunction: String {
        """
        CREATE FUNCTION \(function) RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp
            SET timezone = 'UTC'
            SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
            SET plan_cache_mode = force_custom_plan SET jit = off
        AS $mirror$
        DECLARE
            first timestamptz;
            last timestamptz;
            isMoved boolean := false;
            partition text;
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                TRUNCATE \(next);
                RETURN NULL;
            END IF;
            IF TG_OP = 'UPDATE' THEN
                isMoved := EXISTS (SELECT series_id, ts FROM old_rows EXCEPT SELECT series_id, ts FROM new_rows);
            END IF;
            IF TG_OP = 'DELETE' OR isMoved THEN
                -- A slice that is being copied comes to its end; none begins before this transaction has ended.
                PERFORM pg_advisory_xact_lock_shared(\(sliceLock));
                IF current_setting('transaction_isolation') <> 'read committed' THEN
                    -- What was copied behind this transaction's snapshot would not be found: this fails then.
        \(store("old_rows"))
                END IF;
                SELECT min(ts), max(ts) INTO first, last FROM old_rows;
                DELETE FROM \(next) n USING old_rows o
                WHERE n.series_id = o.series_id AND n.ts = o.ts AND n.ts BETWEEN first AND last;
            END IF;
            IF TG_OP <> 'DELETE' THEN
        \(store("new_rows"))
            END IF;
            RETURN NULL;
        END
        $mirror$;
        """
    }

    private func store(_ rows: String) -> String {
        let upsert = """
            INSERT INTO \(next) AS n (series_id, ts, v) SELECT series_id, ts, v FROM \(rows)
            ON CONFLICT (series_id, ts) DO UPDATE SET v = excluded.v WHERE n.v IS DISTINCT FROM excluded.v;
            """
        guard engine == .partitions, let interval, let partman else { return upsert }
        // Not by pg_partman's function: that would leave its search_path to the writer's session.
        return """
            BEGIN
            \(upsert)
            EXCEPTION WHEN check_violation THEN
                -- There is no partition for some of them.
                PERFORM pg_advisory_xact_lock(hashtextextended(\(literal("windrow partitions \(schema.name).\(Self.next)")), 0));
                FOR first IN SELECT DISTINCT \(interval.start(of: "ts")) FROM \(rows) WHERE \(Self.fitsPartitions) LOOP
                    partition := (SELECT format('%I.%I', \(literal(schema.name)), '\(Self.next)_p' || to_char(first, datetime_string))
                        FROM \(partman).part_config WHERE parent_table = '\(schema.name).\(Self.next)');
                    IF to_regclass(partition) IS NULL THEN
                        EXECUTE format('CREATE TABLE %s (LIKE \(next) INCLUDING ALL)', partition);
                        EXECUTE format('ALTER TABLE \(next) ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                            partition, first, first + interval '\(interval)');
                    END IF;
                END LOOP;
            \(upsert)
            END;
            """
    }

    /// Partitions go by the year in their names, where there is neither BC nor infinity.
    static let fitsPartitions = "isfinite(ts) AND ts >= '0001-01-01Z'"

    private var sliceLock: String { "hashtextextended(\(literal("windrow slices \(schema.name)")), 0)" }

    /// Keeps deletes away from a slice, and a slice from deletes, until the transaction ends.
    var lockSlices: String { "SELECT pg_advisory_xact_lock(\(sliceLock))" }

    /// Makes the triggers: from here on `point_next` has every change.
    var mirror: String {
        let rows = [
            "AFTER INSERT": "REFERENCING NEW TABLE AS new_rows", "AFTER DELETE": "REFERENCING OLD TABLE AS old_rows",
            "AFTER UPDATE": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows", "AFTER TRUNCATE": "",
        ]
        let triggers = Self.triggers.map { name in
            let event = "AFTER " + name.split(separator: "_")[2].uppercased()
            return """
                CREATE TRIGGER \(name) \(event) ON \(point) \(rows[event] ?? "") FOR EACH STATEMENT EXECUTE FUNCTION \(function);
                ALTER TABLE \(point) ENABLE ALWAYS TRIGGER \(name);
                """
        }
        return (["SET LOCAL synchronous_commit = on;"] + triggers).joined(separator: "\n")
    }

    // MARK: Ending

    /// That `v`, of pg_class, is a view that reads a table.
    private func isView(of table: String) -> String {
        """
        v.relkind = 'v' AND v.oid IN (
            SELECT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
            WHERE d.refobjid = \(table) AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_rewrite'::regclass)
        """
    }

    /// Keeps everybody off `point`, with its views before it: who reads a view has locked that before the table, too. (LOCK of a view
    /// would lock all its tables.)
    var lock: String {
        """
        SET LOCAL search_path = pg_catalog, pg_temp;
        DO $lock$
        DECLARE
            statement text;
        BEGIN
            FOR statement IN
                SELECT format('ALTER VIEW %s OWNER TO %s', v.oid::regclass, v.relowner::regrole)
                FROM pg_class v WHERE \(isView(of: "\(literal(point))::regclass")) ORDER BY v.oid
            LOOP EXECUTE statement; END LOOP;
        END
        $lock$;
        LOCK TABLE \(point) IN ACCESS EXCLUSIVE MODE;
        """
    }

    /// `point` becomes `point_old`, and `point_next` becomes `point`, with its indexes, partitions, privileges and views.
    var swap: String {
        """
        SET LOCAL synchronous_commit = on;
        \(lock)
        -- From here on, give way before PostgreSQL finds a deadlock.
        SET LOCAL lock_timeout = '500ms';
        \(dropTriggers)
        DROP FUNCTION \(function);
        DROP TABLE \(course);
        DO $swap$
        DECLARE
            was oid := \(literal(point))::regclass;
            views text[];
            statement text;
        BEGIN
            -- Views go by number: as text they will mean the new table.
            SELECT array_agg(format('CREATE OR REPLACE VIEW %s%s AS %s', v.oid::regclass,
                (SELECT ' WITH (' || string_agg(format('%I = %L', option_name, option_value), ', ') || ')'
                    FROM pg_options_to_table(v.reloptions)), pg_get_viewdef(v.oid)))
            INTO views FROM pg_class v WHERE \(isView(of: "was"));
            ALTER TABLE \(point) RENAME TO \(Self.old);
            FOR statement IN
                SELECT format('ALTER INDEX %s RENAME TO %I', i.indexrelid::regclass, 'point_old' || substr(c.relname, 6))
                FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = was AND c.relname LIKE 'point\\_%'
            LOOP EXECUTE statement; END LOOP;
            FOR statement IN
                SELECT format('ALTER %s %s RENAME TO %I', CASE WHEN relkind IN ('i', 'I') THEN 'INDEX' ELSE 'TABLE' END,
                    oid::regclass, 'point' || substr(relname, 11))
                FROM pg_class WHERE relnamespace = \(literal(schema.quoted))::regnamespace
                    AND (relname = \(literal(Self.next)) OR relname LIKE 'point\\_next\\_%') AND relkind IN ('r', 'p', 'i', 'I')
            LOOP EXECUTE statement; END LOOP;
            FOR statement IN
                SELECT format('GRANT %s ON TABLE %s TO %s%s', privilege_type, \(literal(point)),
                    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
                FROM pg_class c, aclexplode(c.relacl) WHERE c.oid = was AND grantee <> c.relowner
                UNION ALL
                SELECT format('GRANT %s (%I) ON TABLE %s TO %s%s', privilege_type, a.attname, \(literal(point)),
                    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
                FROM pg_attribute a, aclexplode(a.attacl) WHERE a.attrelid = was
            LOOP EXECUTE statement; END LOOP;
            FOREACH statement IN ARRAY coalesce(views, '{}') LOOP EXECUTE statement; END LOOP;
        END
        $swap$;\(renamePartitioning)
        """
    }

    /// What pg_partman has of the two goes with the names.
    private var renamePartitioning: String {
        guard let partman else { return "" }
        return """

            DELETE FROM \(partman).part_config WHERE parent_table = '\(schema.name).point';
            UPDATE \(partman).part_config SET parent_table = '\(schema.name).point' WHERE parent_table = '\(schema.name).\(Self.next)';
            \(dropTemplate(of: "point"))
            DO $template$
            DECLARE
                template text := (SELECT template_table FROM \(partman).part_config WHERE parent_table = '\(schema.name).point');
                home text := split_part(template, '.', 1);
            BEGIN
                -- Where a name was too long, its end was cut off.
                IF template LIKE '%\\_point\\_next' THEN
                    EXECUTE format('ALTER TABLE %I.%I RENAME TO %I', home, split_part(template, '.', 2), '\(template(of: "point"))');
                    UPDATE \(partman).part_config SET template_table = home || '.\(template(of: "point"))'
                    WHERE parent_table = '\(schema.name).point';
                END IF;
            END
            $template$;
            """
    }

    /// The name of the table that pg_partman makes beside each, of 63 bytes at most.
    private func template(of table: String) -> String { String("template_\(schema.name)_\(table)".prefix(63)) }

    /// Once pg_partman has no use for it any more: where names are cut off, two tables may have one.
    private func dropTemplate(of table: String) -> String {
        guard let partman else { return "" }
        return """
            DO $template$
            BEGIN
                IF NOT EXISTS (SELECT FROM \(partman).part_config WHERE split_part(template_table, '.', 2) = '\(template(of: table))') THEN
                    DROP TABLE IF EXISTS \(partman).\(template(of: table));
                END IF;
            END
            $template$;
            """
    }

    private var dropTriggers: String {
        Self.triggers.map { "DROP TRIGGER IF EXISTS \($0) ON \(point);" }.joined(separator: "\n")
    }

    /// Leaves nothing of a conversion behind, but for its table under the name of one to be dropped.
    var abandon: String {
        let configuration =
            partman.map {
                """

                DELETE FROM \($0).part_config WHERE parent_table = '\(schema.name).\(Self.next)';
                \(dropTemplate(of: Self.next))
                """
            } ?? ""
        return """
            LOCK TABLE \(point) IN ACCESS EXCLUSIVE MODE;
            \(dropTriggers)
            DROP FUNCTION IF EXISTS \(function);
            ALTER TABLE IF EXISTS \(next) RENAME TO \(Self.old);
            DROP TABLE \(course);\(configuration)
            """
    }
}
