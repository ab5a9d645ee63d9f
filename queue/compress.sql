-- Compressing what finished jobs left in files.

-- The next one that was not looked at, by size, then key. By output_plain.
-- name: compress_next
SELECT o.job_id, o.attempt, j.uuid, o.stdout_bytes + o.stderr_bytes, o.sha256
  FROM output o INDEXED BY output_plain
  JOIN jobs j ON j.id = o.job_id
 WHERE o.stored = 'file' AND o.file_bytes IS NULL AND o.removed_at IS NULL
   AND o.stdout_bytes + o.stderr_bytes >= ?1
   AND (o.stdout_bytes + o.stderr_bytes > ?1 OR (o.job_id, o.attempt) > (?2, ?3))
 ORDER BY o.stdout_bytes + o.stderr_bytes, o.job_id, o.attempt
 LIMIT 1

-- It lies compressed at ?3 now, unless it is being removed.
-- name: compress_done
UPDATE output
   SET encoding = 'zstd', path = ?3, file_bytes = ?4
 WHERE job_id = ?1 AND attempt = ?2 AND stored = 'file' AND file_bytes IS NULL AND removed_at IS NULL

-- It stays as it is: the file has the bytes that were written.
-- name: compress_kept
UPDATE output
   SET file_bytes = stdout_bytes + stderr_bytes
 WHERE job_id = ?1 AND attempt = ?2 AND stored = 'file' AND file_bytes IS NULL
