-- The place whose notifications go to `callback_redirect` instead. Earlier releases did not keep it.
ALTER TABLE calls ADD COLUMN callback_redirected TEXT;

UPDATE calls
SET callback_redirected = json_extract(document, '$.callback_uri')
WHERE callback_redirect IS NOT NULL;
