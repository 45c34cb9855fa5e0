#!/usr/bin/python
"""Compare the objects of a bucket with their checksums, and bring earlier versions of them back."""

from __future__ import annotations

DOCUMENTATION = """
module: s3_objects
short_description: Find damaged objects of a bucket, and restore the version that is right
description:
  - The bucket has a list of checksums, as C(sha256sum) writes it. An object is damaged when it has another content, or
    when it is deleted.
  - Needs boto3 where it runs.
options:
  url: {description: Where the storage is, type: str, required: true}
  bucket: {description: Name of the bucket, type: str, required: true}
  access_key: {description: Name of the account, type: str, required: true}
  secret_key: {description: Its secret, type: str, required: true}
  region: {description: Region of the bucket, type: str, default: us-east-1}
  sums: {description: Key of the list of checksums, type: str, default: SHA256SUMS}
  state:
    description:
      - C(read) only compares.
      - C(restored) gives each damaged object the content of its newest right version.
      - C(damaged) overwrites the objects O(overwritten) and deletes the objects O(deleted).
      - C(filled) makes the bucket where it is missing, with versions and for everybody to read, and puts O(objects) and
        their checksums into it.
    type: str
    choices: [read, restored, damaged, filled]
    default: read
  overwritten: {description: Keys, type: list, elements: str, default: []}
  deleted: {description: Keys, type: list, elements: str, default: []}
  objects: {description: Contents by their keys, type: dict, default: {}}
"""
RETURN = """
damaged: {description: Keys of the objects that are damaged now, type: list, returned: success}
restored: {description: Keys of the objects that were brought back, type: list, returned: success}
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    boto3 = None

GARBAGE = b"\0 not what was uploaded\n"


class RefusedError(Exception):
    """What cannot be restored, in one sentence."""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Bucket:
    """A bucket, and what its list of checksums says."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self._asked, self._name = asked, str(asked["bucket"])
        self._s3 = boto3.client(
            "s3",
            endpoint_url=asked["url"],
            aws_access_key_id=asked["access_key"],
            aws_secret_access_key=asked["secret_key"],
            region_name=asked["region"],
            config=Config(
                connect_timeout=5, read_timeout=20, retries={"max_attempts": 2}, s3={"addressing_style": "path"}
            ),
        )

    def content(self, key: str, version: str | None = None) -> bytes | None:
        """The content of an object. None when there is no such object, or when it is deleted."""
        of = {"VersionId": version} if version else {}
        try:
            return bytes(self._s3.get_object(Bucket=self._name, Key=key, **of)["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket", "404"):
                return None
            raise

    def sums(self) -> dict[str, str]:
        """The right checksum of each object, by its key."""
        text = self.content(self._asked["sums"])
        if text is None:
            raise RefusedError(f"the bucket {self._name} has no {self._asked['sums']}: nobody knows what is right")
        pairs = (line.split(maxsplit=1) for line in text.decode().splitlines() if line.strip())
        return {key: right for right, key in pairs}

    def damaged(self) -> list[str]:
        sums = self.sums()
        found = {key: self.content(key) for key in sums}
        return sorted(key for key, content in found.items() if content is None or digest(content) != sums[key])

    def versions(self, key: str) -> Iterator[str]:
        """Yields the ids of an object's versions, newest first. Marks of deletion are left out."""
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._name, Prefix=key)
        for page in pages:
            for each in page.get("Versions", []):
                if each["Key"] == key:
                    yield each["VersionId"]

    def right_version(self, key: str, right: str) -> str:
        for version in self.versions(key):
            content = self.content(key, version)
            if content is not None and digest(content) == right:
                return version
        raise RefusedError(f"no version of {key} in {self._name} has the checksum that {self._asked['sums']} names")

    # ---------------------------------------------------------------- each returns the keys that it has changed

    def restored(self) -> list[str]:
        """Find the right version of each object, and only then bring them back. So a lost one is reported before
        anything changes.
        """
        sums = self.sums()
        found = {key: self.right_version(key, sums[key]) for key in self.damaged()}
        for key, version in found.items():
            source = {"Bucket": self._name, "Key": key, "VersionId": version}
            self._s3.copy_object(Bucket=self._name, Key=key, CopySource=source)
        return sorted(found)

    def damage(self) -> list[str]:
        for key in self._asked["overwritten"]:
            self._s3.put_object(Bucket=self._name, Key=key, Body=GARBAGE)
        for key in self._asked["deleted"]:
            self._s3.delete_object(Bucket=self._name, Key=key)
        return [*self._asked["overwritten"], *self._asked["deleted"]]

    def filled(self) -> list[str]:
        if self.content(self._asked["sums"]) is not None:
            return []
        self._s3.create_bucket(Bucket=self._name)
        self._s3.put_bucket_versioning(Bucket=self._name, VersioningConfiguration={"Status": "Enabled"})
        policy = {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "s3:GetObject",
                    "Resource": f"arn:aws:s3:::{self._name}/*",
                }
            ]
        }
        self._s3.put_bucket_policy(Bucket=self._name, Policy=json.dumps({"Version": "2012-10-17", **policy}))
        objects = {key: str(text).encode() for key, text in self._asked["objects"].items()}
        for key, content in objects.items():
            self._s3.put_object(Bucket=self._name, Key=key, Body=content)
        sums = "".join(f"{digest(content)}  {key}\n" for key, content in objects.items())
        self._s3.put_object(Bucket=self._name, Key=self._asked["sums"], Body=sums.encode())
        return sorted(objects)


def work(asked: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    bucket = Bucket(asked)
    doing = {"restored": bucket.restored, "damaged": bucket.damage, "filled": bucket.filled}.get(asked["state"])
    done = doing() if doing and not check_mode else []
    return {
        "changed": bool(done),
        "damaged": bucket.damaged(),
        "restored": done if asked["state"] == "restored" else [],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **{name: {"type": "str", "required": True} for name in ("url", "bucket", "access_key")},
            "secret_key": {"type": "str", "required": True, "no_log": True},
            "region": {"type": "str", "default": "us-east-1"},
            "sums": {"type": "str", "default": "SHA256SUMS"},
            "state": {"choices": ["read", "restored", "damaged", "filled"], "default": "read"},
            "overwritten": {"type": "list", "elements": "str", "default": []},
            "deleted": {"type": "list", "elements": "str", "default": []},
            "objects": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    if boto3 is None:
        module.fail_json(msg=missing_required_lib("boto3"))
    try:
        module.exit_json(**work(module.params, module.check_mode))
    except RefusedError as error:
        module.fail_json(msg=str(error))
    except (BotoCoreError, ClientError, OSError) as error:
        module.fail_json(msg=f"the storage at {module.params['url']} refused: {error}")


if __name__ == "__main__":
    main()
