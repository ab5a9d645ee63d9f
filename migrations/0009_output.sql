-- 0009_output: large outputs may be kept compressed.

PRAGMA user_version = 9;

-- The hash and the lengths of a row are always those of the bytes the job wrote.
ALTER TABLE output ADD COLUMN encoding /* of the file: NULL as it was written; zstd: independent frames with a seek table at the end */ TEXT CHECK (encoding = 'zstd');
ALTER TABLE output ADD COLUMN file_bytes /* of the file; NULL: not looked at yet, it has what was written */ INTEGER;

-- What is still to be looked at by whoever compresses, by size; what stays as it is has file_bytes
-- and no encoding.
CREATE INDEX output_plain ON output (stdout_bytes + stderr_bytes, job_id, attempt)
 WHERE stored = 'file' AND file_bytes IS NULL AND removed_at IS NULL;

DROP VIEW v_output;
CREATE VIEW v_output AS
SELECT v.id, o.attempt, o.stored, o.encoding, o.stdout_bytes, o.stderr_bytes, o.dropped_bytes, o.file_bytes, o.path,
       CAST(o.content AS TEXT) AS text, lower(hex(o.sha256)) AS sha256, o.job_id
  FROM output o
  JOIN v_jobs v ON v.job_id = o.job_id;
