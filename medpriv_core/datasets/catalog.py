"""The real datasets that medpriv can read: what they are, where they come from, how to add them."""

from __future__ import annotations

from medpriv_core.datasets.base import DatasetInfo

DR_GRADES = ("No DR", "Mild", "Moderate", "Severe", "Proliferative")

CHEST_XRAY = DatasetInfo(
    name="chest_xray",
    title="Chest X-rays, pneumonia",
    classes=("Normal", "Pneumonia"),
    channels=1,
    synthetic=False,
    source="Kermany, Zhang and Goldbaum 2018, children's chest radiographs, doi 10.17632/rscbjbr9sj, CC BY 4.0.",
)
APTOS2019 = DatasetInfo(
    name="aptos2019",
    title="APTOS 2019, diabetic retinopathy",
    classes=DR_GRADES,
    channels=3,
    synthetic=False,
    source="APTOS 2019 Blindness Detection, fundus photographs of Aravind Eye Hospital; Kaggle's competition rules.",
    ordered=True,
)
IDRID = DatasetInfo(
    name="idrid",
    title="IDRiD, diabetic retinopathy",
    classes=DR_GRADES,
    channels=3,
    synthetic=False,
    source="Indian Diabetic Retinopathy Image Dataset, Porwal et al. 2018, fundus photographs of an eye clinic in "
    "Nanded, doi 10.3390/data3030025, CC BY 4.0.",
    ordered=True,
)
PNEUMONIAMNIST = DatasetInfo(
    name="pneumoniamnist",
    title="PneumoniaMNIST",
    classes=("Normal", "Pneumonia"),
    channels=1,
    synthetic=False,
    source="MedMNIST v2, Yang et al. 2023: the chest X-rays of Kermany et al. cropped and made small, CC BY 4.0.",
)
RETINAMNIST = DatasetInfo(
    name="retinamnist",
    title="RetinaMNIST, diabetic retinopathy",
    classes=DR_GRADES,
    channels=3,
    synthetic=False,
    source="MedMNIST v2, Yang et al. 2023: fundus photographs of DeepDRiD cropped and made small, CC BY 4.0.",
    ordered=True,
)
RETINA_PHOTO = DatasetInfo(
    name="retina_photo",
    title="One real retina photograph",
    classes=("Retina",),
    channels=3,
    synthetic=False,
    source="A healthy retina, Mikael Häggström 2014, CC0; it comes with scikit-image.",
    trainable=False,
)

# Those that become available when the user adds their files.
ADDABLE: dict[str, DatasetInfo] = {
    info.name: info for info in (CHEST_XRAY, APTOS2019, IDRID, PNEUMONIAMNIST, RETINAMNIST)
}

# What the user has to have, for each dataset that is added by path.
HOW_TO_ADD: dict[str, str] = {
    "chest_xray": "Download the chest X-ray images of Kermany et al. (Mendeley Data or Kaggle) and add the zip, or "
    "the folder with train/NORMAL, train/PNEUMONIA, test/NORMAL and test/PNEUMONIA.",
    "aptos2019": "Download the data of the APTOS 2019 Blindness Detection competition from Kaggle and add the zip, or "
    "the folder with train.csv and train_images; copies that were shrunk, sorted by grade or split will do too.",
    "idrid": 'Download "B. Disease Grading" of the Indian Diabetic Retinopathy Image Dataset from IEEE DataPort and '
    "add the zip, or the folder with train.csv, test.csv, train and test.",
    "pneumoniamnist": "Fetch it with one click, or add a pneumoniamnist npz file that you have.",
    "retinamnist": "Fetch it with one click, or add a retinamnist npz file that you have.",
}
